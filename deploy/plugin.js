'use strict';

// What the service adds to `osls`: it closes the routes, says who gets in, and keeps the bucket when the
// stack is removed, unless told otherwise. See stack.js for parameters and packaging.

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const access = require('./access');
const { adoptStage } = require('./adopt-stage');
const { formerOmission, output, toldBefore } = require('./parameters');
const StackPlugin = require('./stack');

const fromOsls = createRequire(require.resolve('osls/package.json'));
const { CloudFormationClient, DescribeStackResourceCommand, ListImportsCommand } = fromOsls(
  '@aws-sdk/client-cloudformation'
);
const {
  S3Client,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListObjectVersionsCommand,
} = fromOsls('@aws-sdk/client-s3');

module.exports = class ServicePlugin extends StackPlugin {
  constructor(...args) {
    super(...args);
    this.commands = {
      remove: {
        options: {
          'delete-bucket': {
            type: 'boolean',
            usage: 'Also delete the bucket: every model, upload, image of batches and answer',
          },
        },
      },
    };
    Object.assign(this.hooks, {
      'initialize': async () => {
        this.checkSnapStart();
        this.setFunction();
        this.setGateway();
        await this.checkOmissions();
      },
      'before:aws:deploy:deploy:updateStack': () => this.adoptStage(),
      'after:deploy:deploy': () => this.describe(),
      'after:rollback:rollback': () => this.describe(),
      'finalize': () => this.summary && this.writeText(this.summary),
      'before:remove:remove': () => this.prepareRemoval(),
      'after:remove:remove': () => this.finishRemoval(),
    });
  }

  checkSnapStart() {
    const { engine, provisioned, snapstart } = this.serverless.service.custom.settings;
    if (!snapstart) return;
    if (engine !== 'onnx') {
      throw this.error(
        '--param snapstart=true needs --param engine=onnx: Lambda takes no snapshots of images.'
      );
    }
    if (provisioned > 0) {
      throw this.error(
        '--param snapstart=true and --param provisioned exclude each other: choose one of them.'
      );
    }
  }

  setFunction() {
    const { classifier } = this.serverless.service.functions;
    const { reserved, snapstart } = this.serverless.service.custom.settings;
    this.ship('classifier');
    classifier.reservedConcurrency = reserved === 'none' ? null : Number(reserved);
    classifier.environment.MODEL_URI['Fn::Sub'] += this.versionFolder();
    // Changes with every deployment, so that each one takes a new snapshot.
    if (snapstart) classifier.environment.SNAPSHOT = this.serverless.instanceId;
  }

  setGateway() {
    const { service } = this.serverless;
    const reason = access.contradiction(service.custom.settings);
    if (reason) throw this.error(reason);
    // Without these the gateway reads an upload as text and corrupts it.
    const openapi = path.join(__dirname, '..', 'service', 'openapi.json');
    const { paths } = JSON.parse(fs.readFileSync(openapi, 'utf8'));
    const types = Object.keys(paths['/classify'].post.requestBody.content);
    service.provider.apiGateway = {
      binaryMediaTypes: types.filter((type) => type !== 'application/json'),
    };
    service.resources.extensions = {
      ...access.addGatewayResponses(service),
      ...access.leaveStage(this.provider, this.serverless),
    };
    access.closeRoutes(this.serverless);
    // A deployment's log is no place for the key; `osls info` shows it to whoever asks.
    if (this.command() === 'deploy') this.options.conceal = true;
  }

  async refusal(stack) {
    if (output(stack, 'BatchFailures')) {
      this.log.warning(
        `Batches are a stack of their own now: this deployment removes the batch function of ` +
          `${stack.StackName}, its queue of failures and its state machine. Afterwards deploy ` +
          'deploy/batches (see docs/deploy.md).'
      );
    }
    const former = formerOmission(stack, this.serverless.service, path.join(__dirname, '..'));
    return (await super.refusal(stack)) ?? former;
  }

  /** Take the API's stage into the stack where an earlier release made it outside of the template. */
  async adoptStage() {
    const { naming } = this.provider;
    const stack = await this.stack();
    if (!output(stack, 'ServiceEndpoint') || (await this.resourceId(naming.getStageLogicalId()))) return;
    this.log.notice("Taking the API's stage into the stack");
    await adoptStage(new CloudFormationClient(await this.provider.getAwsSdkV3Config()), {
      stackName: stack.StackName,
      logicalId: naming.getStageLogicalId(),
      restApiId: await this.resourceId(naming.getRestApiLogicalId()),
      stageName: this.provider.getApiGatewayStage(),
    });
  }

  /** Say where models belong and who gets in. */
  async describe() {
    const stack = await this.stack();
    const [told, url] = [toldBefore(stack), output(stack, 'ServiceEndpoint')];
    if (!told || !url) return;
    const { burst } = this.serverless.service.custom;
    const settings = { burst, ...this.defaults, ...told };
    const store = output(stack, 'ModelStore');
    this.summary =
      `\nmodel: the service answers with ${store}/${settings.model}` +
      `\nnext: python -m training publish RUN ${store}` +
      `\naccess: ${access.whoGetsIn(settings, url)}`;
  }

  async prepareRemoval() {
    const stack = await this.stack();
    if (!stack || stack.EnableTerminationProtection) return; // a protected one osls refuses
    this.bucket = await this.resourceId('ModelBucket');
    if (!this.bucket) return; // the first deployment failed before there was one
    await this.checkImports();
    if (this.options['delete-bucket']) await this.emptyBucket();
  }

  /** Delete the emptied bucket, or say that it is kept. */
  async finishRemoval() {
    if (!this.bucket) return;
    if (!this.options['delete-bucket']) {
      this.log.notice(
        `Kept: s3://${this.bucket}, with every model. The next deployment makes another bucket; publish ` +
          "the model there, or empty and delete this one in AWS's console."
      );
      return;
    }
    const client = new S3Client(await this.provider.getAwsSdkV3Config());
    await ifThere(client.send(new DeleteBucketCommand({ Bucket: this.bucket })));
  }

  async emptyBucket() {
    const { bucket } = this;
    this.log.notice(`Deleting every model, upload and result in s3://${bucket}`);
    const client = new S3Client(await this.provider.getAwsSdkV3Config());
    for (;;) {
      const page = await ifThere(client.send(new ListObjectVersionsCommand({ Bucket: bucket })));
      const found = [...(page?.Versions ?? []), ...(page?.DeleteMarkers ?? [])];
      if (found.length === 0) return;
      const { Errors: errors = [] } = await client.send(
        new DeleteObjectsCommand({
          Bucket: bucket,
          Delete: { Objects: found.map(({ Key, VersionId }) => ({ Key, VersionId })), Quiet: true },
        })
      );
      if (errors.length) throw this.error(`${bucket}/${errors[0].Key}: ${errors[0].Message}`);
    }
  }

  /** Refuse removal while another stack uses the bucket; CloudFormation would, with it emptied. */
  async checkImports() {
    const client = new CloudFormationClient(await this.provider.getAwsSdkV3Config());
    const ExportName = `${this.provider.naming.getStackName()}-ModelBucket`;
    const found = await ifThere(client.send(new ListImportsCommand({ ExportName })));
    const users = found?.Imports ?? [];
    if (users.length) {
      throw this.error(
        `${users.join(', ')} uses this stack's bucket. Remove it first: cd deploy/batches && npx osls remove`
      );
    }
  }

  /** The id that AWS gave to a resource of the stack; undefined where there is none. */
  async resourceId(LogicalResourceId) {
    const client = new CloudFormationClient(await this.provider.getAwsSdkV3Config());
    const StackName = this.provider.naming.getStackName();
    const asked = new DescribeStackResourceCommand({ StackName, LogicalResourceId });
    return (await ifThere(client.send(asked)))?.StackResourceDetail.PhysicalResourceId;
  }
};

/** Return an answer of AWS; undefined where it says that there is nothing of the kind. */
function ifThere(answer) {
  return answer.catch((error) => {
    if (!['ValidationError', 'NoSuchBucket'].includes(error.name)) throw error;
  });
}
