'use strict';

// Who gets in, and how often: what `--param auth=…`, rate, burst and quota do to the service.

const { createRequire } = require('node:module');

const fromOsls = createRequire(require.resolve('osls/package.json'));
const { APIGatewayClient, UpdateStageCommand } = fromOsls('@aws-sdk/client-api-gateway');

// The page, which asks for a key itself, and what tells nothing about the model.
const OPEN = ['/', '/ping', '/openapi.json'];

/** Return why the settings do not fit together; undefined where they do. */
function contradiction({ auth, quota }) {
  if (Number(quota) > 0 && auth !== 'key') {
    return `quota=${quota} counts the requests of each key: it needs auth=key, not auth=${auth}.`;
  }
  return undefined;
}

/** Close every route that is not known to be open, and make a key and its plan. */
function closeRoutes(serverless) {
  const { functions, provider, custom } = serverless.service;
  const { auth, rate, burst, quota } = custom.settings;
  if (auth === 'none') return;
  for (const { http } of Object.values(functions).flatMap(({ events }) => events ?? [])) {
    if (!http || OPEN.includes(http.path)) continue;
    if (auth === 'iam') http.authorizer = 'aws_iam';
    else http.private = true;
  }
  if (auth !== 'key') return;
  provider.apiGateway.apiKeys = [serverless.getProvider('aws').naming.getStackName()];
  provider.apiGateway.usagePlan = {
    throttle: { rateLimit: Number(rate), burstLimit: Number(burst) },
    ...(Number(quota) > 0 && { quota: { limit: Number(quota), period: 'DAY' } }),
  };
}

/**
 * Limit every route of the deployed stage.
 *
 * By a call, as osls sets a stage's logs and tracing. The template cannot do it: the stage belongs
 * to osls' AWS::ApiGateway::Deployment, of which every deployment makes a new one, and whose
 * StageDescription CloudFormation takes only while the stage does not exist. The settings stay when
 * the stage comes to another deployment.
 */
async function throttleStage(provider, restApiId, { rate, burst }) {
  const client = new APIGatewayClient(await provider.getAwsSdkV3Config());
  await client.send(
    new UpdateStageCommand({
      restApiId,
      stageName: provider.getApiGatewayStage(),
      patchOperations: [
        { op: 'replace', path: '/*/*/throttling/rateLimit', value: String(rate) },
        { op: 'replace', path: '/*/*/throttling/burstLimit', value: String(burst) },
      ],
    })
  );
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

module.exports = { closeRoutes, contradiction, throttleStage, whoGetsIn };
