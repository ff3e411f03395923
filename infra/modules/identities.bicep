// One user-assigned identity per app, one for migrations, one for the placement endpoint; and one for the platform
// itself, which pulls images and counts messages. What each may do is in roles.bicep.
param environmentName string
param location string
param tags object

resource webApi 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'opal-web-api-${environmentName}'
  location: location
  tags: tags
}

resource orchestrator 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'opal-orchestrator-${environmentName}'
  location: location
  tags: tags
}

resource exportWorker 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'opal-export-worker-${environmentName}'
  location: location
  tags: tags
}

resource billingService 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'opal-billing-service-${environmentName}'
  location: location
  tags: tags
}

resource migration 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'opal-migration-${environmentName}'
  location: location
  tags: tags
}

resource scoring 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'opal-scoring-${environmentName}'
  location: location
  tags: tags
}

resource platform 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'opal-platform-${environmentName}'
  location: location
  tags: tags
}

output apps object = {
  webApi: { id: webApi.id, name: webApi.name, clientId: webApi.properties.clientId }
  orchestrator: { id: orchestrator.id, name: orchestrator.name, clientId: orchestrator.properties.clientId }
  exportWorker: { id: exportWorker.id, name: exportWorker.name, clientId: exportWorker.properties.clientId }
  billingService: { id: billingService.id, name: billingService.name, clientId: billingService.properties.clientId }
}
output migration object = {
  id: migration.id
  name: migration.name
  clientId: migration.properties.clientId
  principalId: migration.properties.principalId
}
output scoring object = { id: scoring.id }
output platform object = { id: platform.id }

@description('Object id of each identity, for roles.bicep.')
output principals object = {
  webApi: webApi.properties.principalId
  orchestrator: orchestrator.properties.principalId
  exportWorker: exportWorker.properties.principalId
  billingService: billingService.properties.principalId
  scoring: scoring.properties.principalId
  platform: platform.properties.principalId
}
