'use strict';

// Who may call the service and how often, and what the gateway answers to everyone else: what the
// parameters auth, rate and quota do.

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const fromOsls = createRequire(require.resolve('osls/package.json'));
const yaml = fromOsls('js-yaml');

// Routes without access control: the page, which asks for a key itself, and what describes no model.
const OPEN = ['/', '/ping', '/openapi.json'];

/** Return why the settings contradict each other; undefined where they do not. */
function contradiction({ auth, quota }) {
  if (Number(quota) > 0 && auth !== 'key') {
    return `quota=${quota} counts the requests of each key: it needs auth=key, not auth=${auth}.`;
  }
  return undefined;
}

/** Close every route that is not known to be open, and make a key and its plan. */
function closeRoutes(serverless) {
  const { functions, provider, custom } = serverless.service;
  const { auth, rate, quota } = custom.settings;
  if (auth === 'none') return;
  for (const { http } of functions.classifier.events) {
    if (OPEN.includes(http.path)) continue;
    if (auth === 'iam') http.authorizer = 'aws_iam';
    else http.private = true;
  }
  if (auth !== 'key') return;
  provider.apiGateway.apiKeys = [serverless.getProvider('aws').naming.getStackName()];
  provider.apiGateway.usagePlan = {
    throttle: { rateLimit: Number(rate), burstLimit: Number(custom.burst) },
    ...(Number(quota) > 0 && { quota: { limit: Number(quota), period: 'DAY' } }),
  };
}

/** Add the gateway's own responses of gateway-responses.yml; return how they extend other resources. */
function addGatewayResponses({ functions, resources, custom }) {
  const routes = functions.classifier.events.map(
    ({ http }) => `${http.method.toUpperCase()} ${http.path}`
  );
  const listed = `${routes.slice(0, -1).join(', ')} and ${routes.at(-1)}`;
  const text = fs.readFileSync(path.join(__dirname, 'gateway-responses.yml'), 'utf8');
  const logicalIds = [];
  for (const [name, entry] of Object.entries(yaml.load(text))) {
    const response = { ...entry, ...(custom.settings.auth === 'iam' && entry.iam) };
    response.detail = response.detail?.replace('{routes}', listed);
    const logicalId = `GatewayResponse${name}`;
    resources.Resources[logicalId] = gatewayResponse(response);
    logicalIds.push(logicalId);
  }
  // Gateway responses act from the next deployment of the API on, and that one waits for its methods.
  return { ApiGatewayMethodClassifyPost: { DependsOn: logicalIds } };
}

/** Leave the stage to gateway-stage.yml: osls' deployment would create one without limits. */
function leaveStage({ naming }, { instanceId, service }) {
  const deployment = naming.generateApiGatewayDeploymentLogicalId(instanceId);
  const afterStage = { DependsOn: [naming.getStageLogicalId()] };
  return {
    [deployment]: { Properties: { StageName: { Ref: 'AWS::NoValue' } } },
    ...(service.custom.settings.auth === 'key' && { [naming.getUsagePlanLogicalId()]: afterStage }),
  };
}

function gatewayResponse({ type, status, title, detail, retryAfter }) {
  const header = (name, value) => ({ [`gatewayresponse.header.${name}`]: `'${value}'` });
  return {
    Type: 'AWS::ApiGateway::GatewayResponse',
    Properties: {
      RestApiId: { Ref: 'ApiGatewayRestApi' },
      ResponseType: type,
      ...(status && { StatusCode: String(status) }),
      ResponseParameters: {
        ...header('Access-Control-Allow-Origin', '*'),
        ...(retryAfter && {
          ...header('Retry-After', retryAfter),
          ...header('Access-Control-Expose-Headers', 'Retry-After'),
        }),
      },
      ResponseTemplates: {
        'application/json': status
          ? JSON.stringify({ title, status, detail })
          : '{"title": "$context.error.responseType", "detail": $context.error.messageString}',
      },
    },
  };
}

/** Say who may call the service, and how often. */
function whoGetsIn({ auth, rate, burst, quota }, address) {
  const limit = `${rate} requests a second on each route, ${burst} at once`;
  const daily = Number(quota) > 0 ? `, ${quota} a day with the key` : '';
  const who = {
    none: `everyone who knows ${address} may call it`,
    key: `holders of the API key may call ${address}`,
    iam: `signed requests with execute-api:Invoke may call ${address}`,
  };
  return `${who[auth]} (auth=${auth}; at most ${limit}${daily})`;
}

module.exports = { addGatewayResponses, closeRoutes, contradiction, leaveStage, whoGetsIn };
