// The four apps: what each is told, what it may read, and how it grows. Names of variables are those of
// src/opal/settings.py; tests/infra holds the two together.
param environmentName string
param location string
param tags object
param containersId string
param domain string

@description('id, name and clientId of webApi, orchestrator, exportWorker and billingService.')
param identities object
param platformIdentityId string
param registryServer string
param image string

@description('cpu, memory, minReplicas and maxReplicas of each app.')
param sizes object

@description('rawDays, outputsDays and exportsDays; empty: for ever.')
param retention object

@description('concurrency of orchestrator and exportWorker, and messagesPerReplica that KEDA aims at.')
param workers object

@description('instances and concurrency of the placement endpoint.')
param scoring object
param databaseHost string
param databasePoolSize int
param blobUrl string
param servicebusHost string
param servicebusName string
param vaultUrl string

// Without a version: Container Apps fetches the newest within half an hour, and when a revision starts.
var scoringSecrets = [
  { name: 'scoring-url', url: '${vaultUrl}secrets/scoring-url' }
  { name: 'scoring-key', url: '${vaultUrl}secrets/scoring-key' }
]

var telemetrySecret = [
  { name: 'telemetry-connection-string', url: '${vaultUrl}secrets/telemetry-connection-string' }
]

var everywhere = [
  { name: 'OPAL_TELEMETRY_AZURE_CONNECTION_STRING', secretRef: 'telemetry-connection-string' }
  { name: 'OPAL_LOG_FORMAT', value: 'json' }
  // A photo's spans are some 40 kB, and Application Insights takes money for each.
  { name: 'OPAL_TELEMETRY_SAMPLE_SHARE', value: '0.1' }
  { name: 'OPAL_DATABASE_MANAGED_IDENTITY', value: 'true' }
  { name: 'OPAL_DATABASE_POOL_SIZE', value: string(databasePoolSize) }
  // Spares the SDK its search for other kinds of identity at each start.
  { name: 'AZURE_TOKEN_CREDENTIALS', value: 'ManagedIdentityCredential' }
]

var queuesAndBlobs = [
  { name: 'OPAL_QUEUE_ADAPTER', value: 'servicebus' }
  { name: 'OPAL_QUEUE_NAMESPACE', value: servicebusHost }
  { name: 'OPAL_BLOB_ADAPTER', value: 'azure' }
  { name: 'OPAL_BLOB_ACCOUNT_URL', value: blobUrl }
]

var placementEndpoint = [
  { name: 'OPAL_SCORING_URL', secretRef: 'scoring-url' }
  { name: 'OPAL_SCORING_KEY', secretRef: 'scoring-key' }
  { name: 'OPAL_SCORING_CONCURRENCY', value: string(scoring.concurrency) }
  { name: 'OPAL_SCORING_INSTANCES', value: string(scoring.instances) }
]

var worker = [
  { name: 'OPAL_WEB_HEALTH_HOST', value: '0.0.0.0' }
  { name: 'OPAL_WORKER_HEALTH_PORT', value: '8082' }
]

module webApi 'app.bicep' = {
  name: 'web-api'
  params: {
    name: 'opal-web-api-${environmentName}'
    location: location
    tags: tags
    containersId: containersId
    identity: identities.webApi
    platformIdentityId: platformIdentityId
    registryServer: registryServer
    image: image
    size: sizes.webApi
    args: ['web-api']
    port: 8080
    public: true
    secrets: concat(scoringSecrets, telemetrySecret, [
      { name: 'delivery-key', url: '${vaultUrl}secrets/delivery-key' }
    ])
    env: concat(everywhere, queuesAndBlobs, placementEndpoint, [
      { name: 'OPAL_AZURE_CLIENT_ID', value: identities.webApi.clientId }
      {
        name: 'OPAL_DATABASE_URL'
        value: 'postgresql+asyncpg://${identities.webApi.name}@${databaseHost}/opal?ssl=verify-full'
      }
      { name: 'OPAL_WEB_HOST', value: '0.0.0.0' }
      { name: 'OPAL_WEB_PORT', value: '8080' }
      { name: 'OPAL_WEB_PUBLIC_URL', value: 'https://opal-web-api-${environmentName}.${domain}' }
      // As the endpoint offers them: azureml/deployment*.yml.
      { name: 'OPAL_SCORING_ENGINES', value: 'isnet-small' }
      { name: 'OPAL_DELIVERY_KEY', secretRef: 'delivery-key' }
      { name: 'OPAL_RETENTION_RAW_DAYS', value: string(retention.rawDays) }
      { name: 'OPAL_RETENTION_OUTPUTS_DAYS', value: string(retention.outputsDays) }
      { name: 'OPAL_RETENTION_EXPORTS_DAYS', value: string(retention.exportsDays) }
    ])
    scaleRules: [{ name: 'requests', http: { metadata: { concurrentRequests: '40' } } }]
  }
}

module billingService 'app.bicep' = {
  name: 'billing-service'
  params: {
    name: 'opal-billing-service-${environmentName}'
    location: location
    tags: tags
    containersId: containersId
    identity: identities.billingService
    platformIdentityId: platformIdentityId
    registryServer: registryServer
    image: image
    size: sizes.billingService
    args: ['billing-service']
    port: 8081
    public: true
    secrets: telemetrySecret
    env: concat(everywhere, [
      { name: 'OPAL_AZURE_CLIENT_ID', value: identities.billingService.clientId }
      {
        name: 'OPAL_DATABASE_URL'
        value: 'postgresql+asyncpg://${identities.billingService.name}@${databaseHost}/opal?ssl=verify-full'
      }
      { name: 'OPAL_WEB_HOST', value: '0.0.0.0' }
      { name: 'OPAL_WEB_BILLING_PORT', value: '8081' }
    ])
    scaleRules: [{ name: 'requests', http: { metadata: { concurrentRequests: '80' } } }]
  }
}

module orchestrator 'app.bicep' = {
  name: 'orchestrator'
  params: {
    name: 'opal-orchestrator-${environmentName}'
    location: location
    tags: tags
    containersId: containersId
    identity: identities.orchestrator
    platformIdentityId: platformIdentityId
    registryServer: registryServer
    image: image
    size: sizes.orchestrator
    args: ['orchestrator']
    port: 8082
    secrets: concat(scoringSecrets, telemetrySecret)
    env: concat(everywhere, queuesAndBlobs, placementEndpoint, worker, [
      { name: 'OPAL_AZURE_CLIENT_ID', value: identities.orchestrator.clientId }
      { name: 'OPAL_WORKER_CONCURRENCY', value: string(workers.orchestrator.concurrency) }
      {
        name: 'OPAL_DATABASE_URL'
        value: 'postgresql+asyncpg://${identities.orchestrator.name}@${databaseHost}/opal?ssl=verify-full'
      }
    ])
    scaleRules: [
      {
        name: 'jobs'
        custom: {
          type: 'azure-servicebus'
          identity: platformIdentityId
          metadata: {
            namespace: servicebusName
            queueName: 'jobs'
            messageCount: string(workers.orchestrator.messagesPerReplica)
          }
        }
      }
    ]
  }
}

module exportWorker 'app.bicep' = {
  name: 'export-worker'
  params: {
    name: 'opal-export-worker-${environmentName}'
    location: location
    tags: tags
    containersId: containersId
    identity: identities.exportWorker
    platformIdentityId: platformIdentityId
    registryServer: registryServer
    image: image
    size: sizes.exportWorker
    args: ['export-worker']
    port: 8082
    secrets: telemetrySecret
    env: concat(everywhere, queuesAndBlobs, worker, [
      { name: 'OPAL_AZURE_CLIENT_ID', value: identities.exportWorker.clientId }
      { name: 'OPAL_WORKER_CONCURRENCY', value: string(workers.exportWorker.concurrency) }
      {
        name: 'OPAL_DATABASE_URL'
        value: 'postgresql+asyncpg://${identities.exportWorker.name}@${databaseHost}/opal?ssl=verify-full'
      }
    ])
    scaleRules: [
      {
        name: 'exports'
        custom: {
          type: 'azure-servicebus'
          identity: platformIdentityId
          metadata: {
            namespace: servicebusName
            queueName: 'exports'
            messageCount: string(workers.exportWorker.messagesPerReplica)
          }
        }
      }
    ]
  }
}
