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

// The minor version of the oldest Python 3 that AWS runs on Amazon Linux 2023.
const OLDEST_PYTHON = 12;

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
      'after:aws:deploy:finalize:cleanup': () => this.checkAlarms(),
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
    const pick = (isWanted) =>
      Object.fromEntries(
        Object.keys(this.defaults)
          .filter(isWanted)
          .sort()
          .map((name) => [name, String(custom.settings[name])])
      );
    this.told = pick((name) => this.given.has(name));
    // Who may call it is remembered in any case: the default may be another one next time.
    this.remembered = JSON.stringify(pick((name) => this.given.has(name) || name === 'auth'));
    resources.Outputs[OUTPUT] = {
      Description: 'The parameters that were given at the last deployment, and auth',
      Value: this.remembered,
    };
    if (!['deploy', 'deploy function'].includes(this.command())) return;
    const stack = await this.stack();
    const reason = await this.refusal(stack);
    if (reason) throw this.error(reason);
    if (!stack || this.command() !== 'deploy function') return;
    const before = JSON.stringify(toldBefore(stack));
    if (before !== this.remembered) {
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
    if (packaged !== this.remembered) {
      throw this.error(
        `The package was made with the parameters ${packaged}, not with ${this.remembered}. ` +
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
    const { engine, architecture, sha256, monitoring } = custom.settings;
    if (sha256 === 'any') provider.environment.MODEL_SHA256 = '';
    const shipped = functions[functionName];
    if (monitoring === 'detailed') shipped.tracing = 'Active';
    if (engine === 'onnx') {
      this.checkRuntime();
      const zip = path.join(ROOT, '.build', `${provider.runtime}-${architecture}`, 'package.zip');
      shipped.package = {
        individually: true, // or osls looks for a zip of the whole service
        artifact: path.relative(this.serverless.serviceDir, zip),
      };
    } else {
      shipped.image = { name: 'classifier', command: [shipped.handler] };
      delete shipped.handler;
      const { classifier } = provider.ecr.images;
      if (classifier.uri) return; // built and pushed already
      classifier.platform = { x86_64: 'linux/amd64', arm64: 'linux/arm64' }[architecture];
      this.checkDocker();
    }
  }

  /** Refuse a runtime that Lambda has and the zip does not start on. */
  checkRuntime() {
    const { runtime } = this.serverless.service.provider;
    const [, minor] = /^python3\.(\d+)$/.exec(runtime) ?? [];
    if (Number(minor) >= OLDEST_PYTHON) return;
    throw this.error(
      `provider.runtime of serverless.yml is ${runtime}; the zip needs python3.${OLDEST_PYTHON} or newer: ` +
        'AWS runs older ones on Amazon Linux 2, whose C library (glibc 2.26) cannot load ONNX Runtime.'
    );
  }

  /** Refuse to build an image where that would fail half-way. */
  checkDocker() {
    const isBuilt = this.options.package && this.command() === 'deploy';
    if (isBuilt || !['deploy', 'package', 'deploy function'].includes(this.command())) return;
    const run = (...command) => spawnSync('docker', command, { encoding: 'utf8' });
    const version = run('--version');
    const isPodman = /podman/i.test(`${version.stdout}${version.stderr}`);
    let lack;
    if (version.error) lack = 'there is no docker on this machine';
    else if (isPodman) lack = 'docker is podman on this machine, which osls cannot build it with';
    else if (run('buildx', 'version').status !== 0) lack = "this machine's docker has no buildx";
    if (!lack) return;
    throw this.error(
      `engine=torchscript is deployed as an image, which Docker with its plugin buildx builds, and ${lack}. ` +
        'Install it, or deploy a zip, which needs neither: --param engine=onnx.'
    );
  }

  /** Warn of alarms that nobody hears. */
  checkAlarms() {
    const { monitoring, alarmEmail } = this.serverless.service.custom.settings;
    if (monitoring === 'false' || alarmEmail !== 'none') return;
    this.log.warning(
      'The alarms notify nobody: give the address to send them to with --param alarmEmail=…, or look at ' +
        'them in CloudWatch.'
    );
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
