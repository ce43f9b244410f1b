'use strict';

// The parameters of a deployment: from --param, from stages.yml, and from params.default of
// serverless.yml, in this order. Unknown names are refused, and a value that a stage was deployed with
// does not change by omission.

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const fromOsls = createRequire(require.resolve('osls/package.json'));
const { closest } = fromOsls('fastest-levenshtein');
const yaml = fromOsls('js-yaml');

const FILE = 'stages.yml';

// The stack's output that holds the parameters of its last deployment, as JSON.
const OUTPUT = 'Parameters';

const NAME = '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$';

// The values that each parameter may have; the framework refuses others.
const SCHEMA = {
  engine: { enum: ['torchscript', 'onnx'] },
  architecture: { enum: ['x86_64', 'arm64'] },
  model: { type: 'string', pattern: NAME },
  version: { type: 'string', pattern: NAME },
  sha256: { type: 'string', pattern: '^([0-9a-f]{64}|any)$' },
  memory: { type: 'integer', minimum: 128, maximum: 10240 },
  provisioned: { type: 'integer', minimum: 0 },
  snapstart: { type: 'boolean' },
  auth: { enum: ['none', 'key', 'iam'] },
  rate: { type: 'number', exclusiveMinimum: 0 },
  quota: { type: 'integer', minimum: 0 },
  reserved: { type: 'string', pattern: '^(none|\\d+)$' },
  monitoring: { type: 'string', enum: ['true', 'false', 'detailed'] },
  alarmEmail: { type: 'string', pattern: '^([^@\\s]+@[^@\\s]+|none)$' },
};

// Parameters of earlier releases, and what holds their value now.
const FORMER = {
  runtime: 'provider.runtime of serverless.yml',
  timeout: 'provider.timeout of serverless.yml',
  logRetention: 'provider.logRetentionInDays of serverless.yml',
  refresh: 'provider.environment.MODEL_REFRESH_SECONDS of serverless.yml',
  burst: 'custom.burst of serverless.yml',
  baseImage: 'BASE_IMAGE of Dockerfile',
  bulk: 'deploy/batches, a stack with the state machine in it',
  concurrency: 'custom.concurrency of deploy/batches/serverless.yml',
};

/** Return the names of the parameters that this command sets for its stage. Throw what is wrong. */
function readParameters(serverless, stage, folder) {
  const { default: defaults, ...stages } = serverless.configurationInput.params;
  for (const [name, given] of Object.entries(stages)) {
    checkEntries(given, `params.${name} of serverless.yml`, defaults);
  }
  const file = readFile(folder);
  for (const [name, given] of Object.entries(file ?? {})) {
    checkEntries(given, `${name} in ${FILE}`, defaults);
    if (name === 'default') throw new Error(`${FILE} has "default": defaults are serverless.yml's.`);
    if (name in stages) throw new Error(`The stage ${name} is in serverless.yml and in ${FILE}.`);
    serverless.extendConfiguration(['params', name], given);
  }
  const { commands, options } = serverless.processedInput;
  if (file && !(stage in { ...file, ...stages }) && ['deploy', 'package'].includes(commands[0])) {
    throw new Error(
      `${FILE} does not name the stage ${stage}; it names ${Object.keys(file).join(', ')}. ` +
        `For a stage with the defaults add the line "${stage}: {}".`
    );
  }
  return new Set([
    ...readCommandLine(options.param ?? [], defaults),
    ...Object.keys({ ...file, ...stages }[stage] ?? {}),
  ]);
}

function readFile(folder) {
  const other = fs.readdirSync(folder).find((name) => /^stages?\.ya?ml$/i.test(name) && name !== FILE);
  if (other) throw new Error(`${other} is not read: call it ${FILE}.`);
  const file = path.join(folder, FILE);
  if (!fs.existsSync(file)) return undefined;
  let stages;
  try {
    stages = yaml.load(fs.readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    throw new Error(`${FILE} cannot be read: ${error.message}`);
  }
  if (!isMapping(stages)) throw new Error(`${FILE} must name stages, each with its parameters.`);
  return stages;
}

function checkEntries(given, where, defaults) {
  if (!isMapping(given)) {
    throw new Error(`${where} must be parameters with their values, such as {auth: key}.`);
  }
  for (const [name, value] of Object.entries(given)) {
    checkName(name, where, defaults);
    if (!['string', 'number', 'boolean'].includes(typeof value) || value === '') {
      throw new Error(`${name} of ${where} must have one value, not ${JSON.stringify(value)}.`);
    }
  }
}

function readCommandLine(params, defaults) {
  const names = new Set();
  for (const param of params) {
    const [, name, value] = /^([^=]+)=(.+)$/.exec(param ?? '') ?? [];
    if (name === undefined || value.trim() === '') {
      throw new Error(`--param ${param ?? ''} gives no value: write --param NAME=VALUE.`);
    }
    checkName(name, `--param ${param}`, defaults);
    if (names.has(name)) throw new Error(`--param ${name} is given more than once.`);
    names.add(name);
  }
  return names;
}

function checkName(name, where, defaults) {
  const known = Object.keys(defaults);
  if (known.includes(name)) return;
  if (name in FORMER) {
    throw new Error(`${where}: ${name} is no parameter any more. Instead there is ${FORMER[name]}.`);
  }
  throw new Error(
    `${where}: there is no parameter "${name}". Did you mean "${closest(name, known)}"? ` +
      `There are ${known.join(', ')}.`
  );
}

function isMapping(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Return the value of a stack's output; undefined where there is none. */
function output(stack, key) {
  return stack?.Outputs?.find(({ OutputKey }) => OutputKey === key)?.OutputValue;
}

/** Return the parameters that a deployed stack remembers; undefined where it remembers none. */
function toldBefore(stack) {
  const remembered = output(stack, OUTPUT);
  return remembered && JSON.parse(remembered);
}

/** Return why a stack must not be deployed with `told`; undefined where it may. */
function omission(stack, told, defaults) {
  const before = toldBefore(stack);
  if (!before) {
    if (!output(stack, 'ServiceEndpoint') || 'auth' in told) return undefined; // or it failed at first
    return `The access setting of ${stack.StackName} is unknown: an earlier release deployed it. Give --param auth=….`;
  }
  const left = Object.entries(before).filter(
    ([name, value]) => name in defaults && !(name in told) && value !== String(defaults[name])
  );
  if (!left.length) return undefined;
  const pairs = (separator, values) => left.map(([name]) => `${name}${separator}${values[name]}`);
  return (
    `${stack.StackName} was deployed with ${pairs('=', before).join(' ')}, of which this deployment ` +
    `says nothing. Write it into ${FILE} under the stage's name, "${pairs(': ', before).join('", "')}", ` +
    `or repeat it; to change it say so: --param ${pairs('=', defaults).join(' --param ')}.`
  );
}

/** Return which values of former parameters would change with this deployment; undefined for none. */
function formerOmission(stack, service, folder) {
  const changed = Object.entries(toldBefore(stack) ?? {}).filter(([name, value]) => {
    const now = name in FORMER ? currentValue(FORMER[name], service, folder) : undefined;
    return now !== undefined && String(now) !== value;
  });
  if (!changed.length) return undefined;
  const values = changed.map(([name, value]) => `${name}=${value}`);
  const places = changed.map(([name]) => FORMER[name]);
  return (
    `${stack.StackName} was deployed with the former parameters ${values.join(' ')}, and the files of ` +
    `this release say otherwise. Write the values there (${places.join(', ')}) and deploy; afterwards ` +
    'they may be changed there.'
  );
}

/** Return what stands at a place of `FORMER`; undefined where it is in no file of this stack. */
function currentValue(place, service, folder) {
  const [key, , file] = place.split(' ');
  if (file === 'serverless.yml') return key.split('.').reduce((value, name) => value[name], service);
  if (file !== 'Dockerfile') return undefined;
  const text = fs.readFileSync(path.join(folder, file), 'utf8');
  return new RegExp(`^ARG ${key}=(.*)$`, 'm').exec(text)[1];
}

module.exports = {
  FILE,
  OUTPUT,
  SCHEMA,
  formerOmission,
  omission,
  output,
  readParameters,
  toldBefore,
};
