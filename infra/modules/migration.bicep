// The migration job: brings the schema up to date and makes the apps' database roles, as the server's administrator. Started
// by the workflow before new apps are, never by itself.
param environmentName string
param location string
param tags object
param containersId string

@description('id, name and clientId.')
param identity object
param platformIdentityId string
param registryServer string
param image string
param databaseHost string

resource job 'Microsoft.App/jobs@2025-01-01' = {
  name: 'opal-migration-${environmentName}'
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {}, '${platformIdentityId}': {} }
  }
  properties: {
    environmentId: containersId
    workloadProfileName: 'Consumption'
    configuration: {
      triggerType: 'Manual'
      manualTriggerConfig: { parallelism: 1, replicaCompletionCount: 1 }
      // Migrations take their time; none is retried without somebody having looked.
      replicaTimeout: 1800
      replicaRetryLimit: 0
      registries: [{ server: registryServer, identity: platformIdentityId }]
      identitySettings: [
        { identity: identity.id, lifecycle: 'All' }
        { identity: platformIdentityId, lifecycle: 'None' }
      ]
    }
    template: {
      containers: [
        {
          name: 'opal'
          image: image
          args: [
            'migrate'
            '--app'
            'opal-web-api-${environmentName}'
            '--app'
            'opal-orchestrator-${environmentName}'
            '--app'
            'opal-export-worker-${environmentName}'
            '--reader'
            'opal-billing-service-${environmentName}'
          ]
          env: [
            { name: 'OPAL_LOG_FORMAT', value: 'json' }
            { name: 'OPAL_DATABASE_MANAGED_IDENTITY', value: 'true' }
            { name: 'OPAL_AZURE_CLIENT_ID', value: identity.clientId }
            {
              name: 'OPAL_DATABASE_URL'
              value: 'postgresql+asyncpg://${identity.name}@${databaseHost}/opal?ssl=verify-full'
            }
            { name: 'AZURE_TOKEN_CREDENTIALS', value: 'ManagedIdentityCredential' }
          ]
          resources: { cpu: json('0.5'), memory: '1Gi' }
        }
      ]
    }
  }
}
