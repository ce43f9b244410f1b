'use strict';

// What the service adds to `osls`: it closes and throttles the routes, says who gets in, and empties
// the model bucket before removal (CloudFormation deletes no bucket that has objects). See stack.js for
// parameters and packaging.

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const access = require('./access');
const { formerOmission, toldBefore } = require('./parameters');
const StackPlugin = require('./stack');

const fromOsls = createRequire(require.resolve('osls/package.json'));
const { CloudFormationClient, DescribeStackResourceCommand, ListImportsCommand } = fromOsls(
  '@aws-sdk/client-cloudformation'
);
const { S3Client, DeleteObjectsCommand, ListObjectVersionsCommand } =
  fromOsls('@aws-sdk/client-s3');

module.exports = class ServicePlugin extends StackPlugin {
  constructor(...args) {
    super(...args);
    Object.assign(this.hooks, {
      'initialize': async () => {
        this.checkSnapStart();
        this.setFunction();
        this.setGateway();
        await this.checkOmissions();
      },
      'after:deploy:deploy': () => this.settleAccess(),
      'after:rollback:rollback': () => this.settleAccess(),
      'finalize': () => this.access && this.writeText(`\naccess: ${this.access}`),
      'before:remove:remove': () => this.emptyModelBucket(),
    });
  }

  checkSnapStart() {
    const { custom, provider } = this.serverless.service;
    const { engine, provisioned, snapstart } = custom.settings;
    if (!snapstart) return;
    if (engine !== 'onnx') {
      throw this.error(
        '--param snapstart=true needs --param engine=onnx: Lambda takes no snapshots of images.'
      );
    }
    if (Number(provider.runtime.split('.')[1]) < 12) {
      throw this.error(
        `Lambda takes no snapshots of ${provider.runtime}: set provider.runtime of serverless.yml to ` +
          'python3.12 or newer.'
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
    access.addGatewayResponses(service);
    access.closeRoutes(this.serverless);
    // A deployment's log is no place for the key; `osls info` shows it to whoever asks.
    if (this.command() === 'deploy') this.options.conceal = true;
  }

  async refusal(stack) {
    if (stack?.Outputs?.some(({ OutputKey }) => OutputKey === 'BatchFailures')) {
      this.log.warning(
        `Batches are a stack of their own now: this deployment removes the batch function of ` +
          `${stack.StackName}, its queue of failures and its state machine. Afterwards deploy ` +
          'deploy/batches (see docs/deploy.md).'
      );
    }
    const former = formerOmission(stack, this.serverless.service, path.join(__dirname, '..'));
    return (await super.refusal(stack)) ?? former;
  }

  /** Set the limits of what is deployed now, and find out who gets in. */
  async settleAccess() {
    const stack = await this.stack();
    const told = toldBefore(stack);
    const endpoint = stack?.Outputs?.find(({ OutputKey }) => OutputKey === 'ServiceEndpoint');
    if (!told || !endpoint) return;
    const { burst } = this.serverless.service.custom;
    const settings = { burst, ...this.defaults, ...told };
    const api = await this.resourceId(this.provider.naming.getRestApiLogicalId());
    await access.throttleStage(this.provider, api, settings);
    this.access = access.whoGetsIn(settings, endpoint.OutputValue);
  }

  async emptyModelBucket() {
    const stack = await this.stack();
    if (!stack || stack.EnableTerminationProtection) return; // a protected one osls refuses
    const bucket = await this.resourceId('ModelBucket').catch((error) => {
      if (error.name !== 'ValidationError') throw error;
    });
    if (!bucket) return; // the first deployment failed before there was one
    await this.checkImports();
    this.log.notice(`Deleting every model, upload and result in s3://${bucket}`);
    const client = new S3Client(await this.provider.getAwsSdkV3Config());
    for (;;) {
      const page = await client
        .send(new ListObjectVersionsCommand({ Bucket: bucket }))
        .catch((error) => {
          if (error.name !== 'NoSuchBucket') throw error; // deleted by a deployment that failed
          return {};
        });
      const found = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
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

  /** Refuse removal while another stack uses the bucket; CloudFormation would, with it empty. */
  async checkImports() {
    const client = new CloudFormationClient(await this.provider.getAwsSdkV3Config());
    const ExportName = `${this.provider.naming.getStackName()}-ModelBucket`;
    const { Imports: users = [] } = await client
      .send(new ListImportsCommand({ ExportName }))
      .catch((error) => {
        if (error.name !== 'ValidationError') throw error; // there is no such import, or no export
        return {};
      });
    if (users.length) {
      throw this.error(
        `${users.join(', ')} uses this stack's bucket. Remove it first: cd deploy/batches && npx osls remove`
      );
    }
  }

  /** The id that AWS gave to a resource of the stack. */
  async resourceId(LogicalResourceId) {
    const client = new CloudFormationClient(await this.provider.getAwsSdkV3Config());
    const StackName = this.provider.naming.getStackName();
    const { StackResourceDetail: resource } = await client.send(
      new DescribeStackResourceCommand({ StackName, LogicalResourceId })
    );
    return resource.PhysicalResourceId;
  }
};
