'use strict';

// For stacks of earlier releases, in which osls' deployment of the API made the stage outside of the
// template: CloudFormation creates no stage that exists, but imports it, without an interruption.

const { createRequire } = require('node:module');

const fromOsls = createRequire(require.resolve('osls/package.json'));
const {
  CreateChangeSetCommand,
  ExecuteChangeSetCommand,
  GetTemplateCommand,
  waitUntilChangeSetCreateComplete,
  waitUntilStackImportComplete,
} = fromOsls('@aws-sdk/client-cloudformation');

const SECONDS = 300;

/** Import a stage into the deployed stack, whose template stays the same otherwise. */
async function adoptStage(client, { stackName, logicalId, restApiId, stageName }) {
  const StackName = stackName;
  const { TemplateBody } = await client.send(new GetTemplateCommand({ StackName }));
  const template = JSON.parse(TemplateBody);
  const [deployment, { Properties }] = Object.entries(template.Resources).find(
    ([, { Type }]) => Type === 'AWS::ApiGateway::Deployment'
  );
  const ResourceType = 'AWS::ApiGateway::Stage';
  template.Resources[logicalId] = {
    Type: ResourceType,
    DeletionPolicy: 'Retain', // CloudFormation asks for it, until the next update
    Properties: {
      RestApiId: Properties.RestApiId,
      DeploymentId: { Ref: deployment },
      StageName: stageName,
    },
  };
  const changes = { StackName, ChangeSetName: `adopt-stage-${Date.now()}` };
  await client.send(
    new CreateChangeSetCommand({
      ...changes,
      ChangeSetType: 'IMPORT',
      TemplateBody: JSON.stringify(template),
      Capabilities: ['CAPABILITY_NAMED_IAM'],
      ResourcesToImport: [
        {
          ResourceType,
          LogicalResourceId: logicalId,
          ResourceIdentifier: { RestApiId: restApiId, StageName: stageName },
        },
      ],
    })
  );
  const waiter = { client, maxWaitTime: SECONDS };
  await waitUntilChangeSetCreateComplete(waiter, changes);
  await client.send(new ExecuteChangeSetCommand(changes));
  await waitUntilStackImportComplete(waiter, { StackName });
}

module.exports = { adoptStage };
