'use strict';

// The parameters of a deployment: `--param`, before `stages.yml`, before the defaults of serverless.yml.
// What nobody knows is refused, and what a stage was once told does not change by leaving it out.

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const fromOsls = createRequire(require.resolve('osls/package.json'));
const { closest } = fromOsls('fastest-levenshtein');
const yaml = fromOsls('js-yaml');

const FILE = 'stages.yml';

// The stack's output that holds what the stage was told, as JSON.
const OUTPUT = 'Parameters';

/** Find out which parameters this command is given, for its stage; throw a sentence on what is wrong. */
function readParameters(serverless, stage) {
  const { default: defaults, ...stages } = serverless.configurationInput.params;
  for (const [name, given] of Object.entries(stages)) {
    checkEntries(given, `params.${name} of serverless.yml`, defaults);
  }
  const file = readFile(serverless.serviceDir);
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
  throw new Error(
    `${where}: there is no parameter "${name}". Did you mean "${closest(name, known)}"? ` +
      `There are ${known.join(', ')}.`
  );
}

function isMapping(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Return what a deployed stack was told; undefined where it does not say. */
function toldBefore(stack) {
  const output = stack.Outputs?.find(({ OutputKey }) => OutputKey === OUTPUT);
  return output && JSON.parse(output.OutputValue);
}

/** Return why a stack must not be deployed with `told`; undefined where it may. */
function omission(stack, told, defaults) {
  const isDeployed = stack?.Outputs?.some(({ OutputKey }) => OutputKey === 'ServiceEndpoint');
  if (!isDeployed) return undefined; // nothing is, or the first deployment failed
  const before = toldBefore(stack);
  if (!before) {
    if ('auth' in told) return undefined;
    return `Who gets in at ${stack.StackName} is not known: an earlier release deployed it. Say --param auth=….`;
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

module.exports = { FILE, OUTPUT, omission, readParameters, toldBefore };
