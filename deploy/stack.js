'use strict';

// What the service and its batches have in common: both check their parameters, remember them with the
// stack, and ship the function as a zip or as an image.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const { OUTPUT, SCHEMA, omission, readParameters, toldBefore } = require('./parameters');

const fromOsls = createRequire(require.resolve('osls/package.json'));
const { CloudFormationClient, DescribeStacksCommand } = fromOsls('@aws-sdk/client-cloudformation');

const ROOT = path.dirname(__dirname);

module.exports = class StackPlugin {
  constructor(serverless, options, { log, progress, writeText }) {
    this.serverless = serverless;
    this.options = options;
    this.log = log;
    this.progress = progress;
    this.writeText = writeText;
    this.provider = serverless.getProvider('aws');
    serverless.configSchemaHandler.defineCustomProperties({
      properties: {
        settings: { type: 'object', additionalProperties: false, properties: SCHEMA },
      },
    });
    if (!serverless.processedInput.isHelpRequest) this.given = this.readParameters();
    this.hooks = {
      'before:aws:deploy:deploy:createStack': () => this.checkPackage(),
      'before:package:createDeploymentArtifacts': () => this.buildZip(),
      'before:package:function:package': () => this.buildZip(),
    };
  }

  error(message) {
    return new this.serverless.classes.Error(message, 'FLYING_OBJECTS');
  }

  /** Read the parameters, and have osls resolve and check their values as `custom.settings`. */
  readParameters() {
    const names = Object.keys(this.serverless.configurationInput.params.default);
    const settings = Object.fromEntries(names.map((name) => [name, `\${param:${name}}`]));
    this.serverless.extendConfiguration(['custom', 'settings'], settings);
    try {
      return readParameters(this.serverless, this.provider.getStage(), ROOT);
    } catch (error) {
      throw this.error(error.message);
    }
  }

  /** The parameters that change this stack, with their defaults. */
  get defaults() {
    const { default: defaults } = this.serverless.configurationInput.params;
    const uses = this.serverless.service.custom.uses ?? Object.keys(defaults);
    return Object.fromEntries(uses.map((name) => [name, defaults[name]]));
  }

  /** Return why the deployed stack, or undefined for none, may not become this one. */
  async refusal(stack) {
    return omission(stack, this.told, this.defaults);
  }

  /** Remember with the stack which parameters were given, and let none of them change by omission. */
  async checkOmissions() {
    const { custom, resources } = this.serverless.service;
    const names = Object.keys(this.defaults).filter((name) => this.given.has(name));
    const pairs = names.sort().map((name) => [name, String(custom.settings[name])]);
    this.told = Object.fromEntries(pairs);
    resources.Outputs[OUTPUT] = {
      Description: 'The parameters that were given at the last deployment',
      Value: JSON.stringify(this.told),
    };
    if (!['deploy', 'deploy function'].includes(this.command())) return;
    const stack = await this.stack();
    const reason = await this.refusal(stack);
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

  /** Refuse to deploy a package that was made with other parameters. */
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

  command() {
    return this.serverless.processedInput.commands.join(' ');
  }

  /** Ship a function as the zip that deploy/build_zip.py makes, or as the image of the Dockerfile. */
  ship(functionName) {
    const { functions, provider, custom } = this.serverless.service;
    const { engine, architecture, sha256 } = custom.settings;
    if (sha256 === 'any') provider.environment.MODEL_SHA256 = '';
    const shipped = functions[functionName];
    if (engine === 'onnx') {
      const zip = path.join(ROOT, '.build', `${provider.runtime}-${architecture}`, 'package.zip');
      shipped.package = {
        individually: true, // or osls looks for a zip of the whole service
        artifact: path.relative(this.serverless.serviceDir, zip),
      };
    } else {
      shipped.image = { name: 'classifier', command: [shipped.handler] };
      delete shipped.handler;
      const machine = { x86_64: 'amd64', arm64: 'arm64' }[architecture];
      provider.ecr.images.classifier.platform = `linux/${machine}`;
    }
  }

  /** Return what follows the model's folder in the address of the version that is served. */
  versionFolder() {
    const { version } = this.serverless.service.custom.settings;
    return version === 'current' ? '' : `/versions/${version}`;
  }

  buildZip() {
    const { custom, provider } = this.serverless.service;
    const { engine, architecture } = custom.settings;
    if (engine !== 'onnx') return;
    const { runtime } = provider;
    this.progress.get('main').notice(`Building the zip for ${runtime} on ${architecture}`);
    const inVenv = path.join(ROOT, '.venv', 'bin', 'python');
    const { status, error } = spawnSync(
      fs.existsSync(inVenv) ? inVenv : 'python3',
      ['-m', 'deploy.build_zip', '--runtime', runtime, '--architecture', architecture],
      { cwd: ROOT, stdio: 'inherit' }
    );
    if (error) throw this.error(`Python could not be started: ${error.message}`);
    if (status !== 0) throw this.error('The zip was not built; the reason stands above.');
  }

  /** Return the description of a stack; undefined where there is none. */
  async stack(StackName = this.provider.naming.getStackName()) {
    const client = new CloudFormationClient(await this.provider.getAwsSdkV3Config());
    try {
      return (await client.send(new DescribeStacksCommand({ StackName }))).Stacks[0];
    } catch (error) {
      if (error.name === 'ValidationError') return undefined;
      throw error;
    }
  }
};
