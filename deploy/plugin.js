'use strict';

// What this service adds to `osls`: it checks the parameters, closes and throttles the routes, says who
// gets in, builds the zip before packaging, and empties the model bucket before removal
// (CloudFormation deletes no bucket that has objects).

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const { closeRoutes, contradiction, throttleStage, whoGetsIn } = require('./access');
const { OUTPUT, omission, readParameters, toldBefore } = require('./parameters');

const fromOsls = createRequire(require.resolve('osls/package.json'));
const { CloudFormationClient, DescribeStacksCommand, DescribeStackResourceCommand } = fromOsls(
  '@aws-sdk/client-cloudformation'
);
const { S3Client, DeleteObjectsCommand, ListObjectVersionsCommand } =
  fromOsls('@aws-sdk/client-s3');

const NAME = '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$';

// What `custom.settings` of serverless.yml may hold; the framework says what does not fit.
const SETTINGS = {
  properties: {
    settings: {
      type: 'object',
      additionalProperties: false,
      properties: {
        engine: { enum: ['torchscript', 'onnx'] },
        runtime: { type: 'string', pattern: '^python3\\.\\d+$' },
        baseImage: { type: 'string', pattern: '^[a-z0-9][A-Za-z0-9._:/@-]*$' },
        architecture: { enum: ['x86_64', 'arm64'] },
        model: { type: 'string', pattern: NAME },
        version: { type: 'string', pattern: NAME },
        memory: { type: 'integer', minimum: 128, maximum: 10240 },
        logRetention: { type: 'integer', minimum: 1 },
        timeout: { type: 'integer', minimum: 1, maximum: 29 },
        sha256: { type: 'string', pattern: '^([0-9a-f]{64}|any)$' },
        refresh: { type: 'number', minimum: 0 },
        provisioned: { type: 'integer', minimum: 0 },
        snapstart: { type: 'boolean' },
        auth: { enum: ['none', 'key', 'iam'] },
        rate: { type: 'number', exclusiveMinimum: 0 },
        burst: { type: 'integer', minimum: 1 },
        quota: { type: 'integer', minimum: 0 },
        reserved: { type: 'string', pattern: '^(none|\\d+)$' },
        bulk: { type: 'boolean' },
        concurrency: { type: 'integer', minimum: 1, maximum: 10000 },
        monitoring: { type: 'boolean' },
        alarmEmail: { type: 'string', pattern: '^([^@\\s]+@[^@\\s]+|none)$' },
      },
    },
  },
};

module.exports = class FlyingObjectsPlugin {
  constructor(serverless, options, { log, progress, writeText }) {
    this.serverless = serverless;
    this.options = options;
    this.log = log;
    this.progress = progress;
    this.writeText = writeText;
    this.provider = serverless.getProvider('aws');
    serverless.configSchemaHandler.defineCustomProperties(SETTINGS);
    if (!serverless.processedInput.isHelpRequest) this.given = this.readParameters();
    this.hooks = {
      'initialize': async () => {
        this.checkSnapStart();
        this.setAccess();
        await this.checkOmissions();
      },
      'before:aws:deploy:deploy:createStack': () => this.checkPackage(),
      'after:deploy:deploy': () => this.settleAccess(),
      'after:rollback:rollback': () => this.settleAccess(),
      'finalize': () => this.access && this.writeText(`\naccess: ${this.access}`),
      'before:package:createDeploymentArtifacts': () => this.buildZip(),
      'before:package:function:package': () => this.buildZip(),
      'before:remove:remove': () => this.emptyModelBucket(),
    };
  }

  error(message) {
    return new this.serverless.classes.Error(message, 'FLYING_OBJECTS');
  }

  readParameters() {
    try {
      return readParameters(this.serverless, this.provider.getStage());
    } catch (error) {
      throw this.error(error.message);
    }
  }

  /** Keep with the stack what the stage was told, and let nothing of it change by leaving it out. */
  async checkOmissions() {
    const { custom, resources } = this.serverless.service;
    const { params } = this.serverless.configurationInput;
    const pairs = [...this.given].sort().map((name) => [name, String(custom.settings[name])]);
    this.told = Object.fromEntries(pairs);
    resources.Outputs[OUTPUT] = {
      Description: 'What the stage was told at its last deployment',
      Value: JSON.stringify(this.told),
    };
    if (!['deploy', 'deploy function'].includes(this.command())) return;
    const stack = await this.stack();
    const reason = omission(stack, this.told, params.default);
    if (reason) throw this.error(reason);
    if (!stack || this.command() !== 'deploy function') return;
    const before = JSON.stringify(toldBefore(stack));
    if (before !== JSON.stringify(this.told)) {
      throw this.error(
        `"deploy function" changes the code alone, and the stack was deployed with ${before}: give ` +
          'the same parameters, or deploy the whole stack.'
      );
    }
  }

  /** What was packaged before is deployed as it was packaged. */
  checkPackage() {
    const { Outputs } = this.serverless.service.provider.compiledCloudFormationTemplate;
    const packaged = Outputs[OUTPUT]?.Value;
    if (packaged !== JSON.stringify(this.told)) {
      throw this.error(
        `The package was made with the parameters ${packaged}, not with ${JSON.stringify(this.told)}. ` +
          'Package again, or give the same ones.'
      );
    }
  }

  /** Set the limits of what is deployed now, and find out who gets in. */
  async settleAccess() {
    const { Outputs = [], ...stack } = (await this.stack()) ?? {};
    const told = toldBefore({ ...stack, Outputs });
    const address = Outputs.find(({ OutputKey }) => OutputKey === 'ServiceEndpoint')?.OutputValue;
    if (!told || !address) return;
    const settings = { ...this.serverless.configurationInput.params.default, ...told };
    const api = await this.resourceId(this.provider.naming.getRestApiLogicalId());
    await throttleStage(this.provider, api, settings);
    this.access = whoGetsIn(settings, address);
  }

  command() {
    return this.serverless.processedInput.commands.join(' ');
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
    const { functions, custom } = this.serverless.service;
    const { reserved } = custom.settings;
    const reason = contradiction(custom.settings);
    if (reason) throw this.error(reason);
    functions.classifier.reservedConcurrency = reserved === 'none' ? null : Number(reserved);
    closeRoutes(this.serverless);
    // A deployment's log is no place for the key; `osls info` shows it to whoever asks.
    if (this.command() === 'deploy') this.options.conceal = true;
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
