'use strict';

// What this service adds to `osls`: it checks the parameters, closes and throttles the routes, builds
// the zip before packaging, and empties the model bucket before removal (CloudFormation deletes no
// bucket that has objects).

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const { closeRoutes, contradiction, throttleStage } = require('./access');

const fromOsls = createRequire(require.resolve('osls/package.json'));
const { CloudFormationClient, DescribeStacksCommand, DescribeStackResourceCommand } = fromOsls(
  '@aws-sdk/client-cloudformation'
);
const { S3Client, DeleteObjectsCommand, ListObjectVersionsCommand } =
  fromOsls('@aws-sdk/client-s3');

// What `custom.settings` of serverless.yml may hold; the framework says what does not fit.
const SETTINGS = {
  properties: {
    settings: {
      type: 'object',
      properties: {
        engine: { enum: ['torchscript', 'onnx'] },
        runtime: { type: 'string', pattern: '^python3\\.\\d+$' },
        timeout: { type: 'integer', minimum: 1, maximum: 29 },
        sha256: { type: 'string', pattern: '^([0-9a-f]{64})?$' },
        refresh: { type: 'number', minimum: 0 },
        provisioned: { type: 'integer', minimum: 0 },
        snapstart: { type: 'boolean' },
        auth: { enum: ['none', 'key', 'iam'] },
        rate: { type: 'number', exclusiveMinimum: 0 },
        burst: { type: 'integer', minimum: 1 },
        quota: { type: 'integer', minimum: 0 },
        reserved: { type: 'integer', minimum: 0 },
        bulk: { type: 'boolean' },
        concurrency: { type: 'integer', minimum: 1, maximum: 10000 },
        monitoring: { type: 'boolean' },
        alarmEmail: { type: 'string', pattern: '^([^@\\s]+@[^@\\s]+)?$' },
      },
    },
  },
};

module.exports = class FlyingObjectsPlugin {
  constructor(serverless, options, { log, progress }) {
    this.serverless = serverless;
    this.options = options;
    this.log = log;
    this.progress = progress;
    this.provider = serverless.getProvider('aws');
    serverless.configSchemaHandler.defineCustomProperties(SETTINGS);
    this.hooks = {
      'initialize': () => {
        this.checkSnapStart();
        this.setAccess();
      },
      'after:deploy:deploy': async () =>
        throttleStage(serverless, await this.resourceId(this.provider.naming.getRestApiLogicalId())),
      'before:package:createDeploymentArtifacts': () => this.buildZip(),
      'before:package:function:package': () => this.buildZip(),
      'before:remove:remove': () => this.emptyModelBucket(),
    };
  }

  error(message) {
    return new this.serverless.classes.Error(message, 'FLYING_OBJECTS');
  }

  checkSnapStart() {
    const { engine, runtime, provisioned, snapstart } = this.serverless.service.custom.settings;
    if (!snapstart) return;
    if (engine !== 'onnx') {
      throw this.error(
        '--param snapstart=true needs --param engine=onnx: Lambda takes no snapshots of images.'
      );
    }
    if (Number(runtime.split('.')[1]) < 12) {
      throw this.error(
        `Lambda takes no snapshots of ${runtime}: deploy --param runtime=python3.12 or newer.`
      );
    }
    if (provisioned > 0) {
      throw this.error(
        '--param snapstart=true and --param provisioned exclude each other: choose one of them.'
      );
    }
  }

  setAccess() {
    const reason = contradiction(this.serverless.service.custom.settings);
    if (reason) throw this.error(reason);
    closeRoutes(this.serverless);
    // A deployment's log is no place for the key; `osls info` shows it to whoever asks.
    if (this.serverless.processedInput.commands.join(' ') === 'deploy') this.options.conceal = true;
  }

  buildZip() {
    const { engine, runtime, architecture } = this.serverless.service.custom.settings;
    if (engine !== 'onnx') return;
    this.progress.get('main').notice(`Building the zip for ${runtime} on ${architecture}`);
    const root = this.serverless.serviceDir;
    const inVenv = path.join(root, '.venv', 'bin', 'python');
    const { status, error } = spawnSync(
      fs.existsSync(inVenv) ? inVenv : 'python3',
      ['-m', 'deploy.build_zip', '--runtime', runtime, '--architecture', architecture],
      { cwd: root, stdio: 'inherit' }
    );
    if (error) throw this.error(`Python could not be started: ${error.message}`);
    if (status !== 0) throw this.error('The zip was not built; the reason stands above.');
  }

  async emptyModelBucket() {
    const stack = await this.stack();
    if (!stack || stack.EnableTerminationProtection) return; // a protected one osls refuses
    const bucket = await this.resourceId('ModelBucket').catch((error) => {
      if (error.name !== 'ValidationError') throw error;
    });
    if (!bucket) return; // the first deployment failed before there was one
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

  /** The stack's description; undefined where there is none. */
  async stack() {
    const client = new CloudFormationClient(await this.provider.getAwsSdkV3Config());
    const StackName = this.provider.naming.getStackName();
    try {
      return (await client.send(new DescribeStacksCommand({ StackName }))).Stacks[0];
    } catch (error) {
      if (error.name === 'ValidationError') return undefined;
      throw error;
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
