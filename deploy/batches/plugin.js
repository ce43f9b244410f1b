'use strict';

// What the batches stack adds to `osls`: S3 calls its function for new objects under batch/.
//
// By a call, as the bucket belongs to the service's stack, which would otherwise have to name this
// function before it exists. CloudFormation leaves a configuration alone that its template never named.

const { createRequire } = require('node:module');

const { omission, output } = require('../parameters');
const StackPlugin = require('../stack');

const fromOsls = createRequire(require.resolve('osls/package.json'));
const {
  S3Client,
  GetBucketNotificationConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
} = fromOsls('@aws-sdk/client-s3');

const NOTIFICATION = 'batches';

module.exports = class BatchesPlugin extends StackPlugin {
  constructor(...args) {
    super(...args);
    Object.assign(this.hooks, {
      'initialize': async () => {
        const { batch } = this.serverless.service.functions;
        this.ship('batch');
        batch.environment.MODEL_PREFIX += this.versionFolder();
        await this.checkOmissions();
      },
      'after:deploy:deploy': () => this.notify(true),
      'after:rollback:rollback': () => this.notify(true),
      'before:remove:remove': () => this.notify(false),
    });
  }

  /** Also refuse to leave out what the service was deployed with: it holds for both. */
  async refusal(stack) {
    const { serviceStack } = this.serverless.service.custom;
    const service = await this.stack(serviceStack);
    if (!output(service, 'ModelBucket')) {
      return (
        `Batches work in the bucket of ${serviceStack}, which is not deployed, or by an earlier ` +
        'release: deploy the service first (npx osls deploy, beside the README).'
      );
    }
    return omission(service, this.told, this.defaults) ?? super.refusal(stack);
  }

  /** Make S3 call the function for each new object under batch/, or no longer. */
  async notify(isWanted) {
    const service = await this.stack(this.serverless.service.custom.serviceStack);
    const [Bucket, arn] = [output(service, 'ModelBucket'), output(await this.stack(), 'BatchFunction')];
    if (!Bucket || !arn) return;
    const client = new S3Client(await this.provider.getAwsSdkV3Config());
    const { $metadata, LambdaFunctionConfigurations: all = [], ...others } = await client.send(
      new GetBucketNotificationConfigurationCommand({ Bucket })
    );
    const kept = all.filter(({ Id }) => Id !== NOTIFICATION);
    const own = {
      Id: NOTIFICATION,
      LambdaFunctionArn: arn,
      Events: ['s3:ObjectCreated:*'],
      Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: 'batch/' }] } },
    };
    const NotificationConfiguration = {
      ...others,
      LambdaFunctionConfigurations: isWanted ? [...kept, own] : kept,
    };
    await client.send(
      new PutBucketNotificationConfigurationCommand({ Bucket, NotificationConfiguration })
    );
  }
};
