// Who may do what, and why. Every role assignment of Opal's is here, on the narrowest thing that carries it, and its reason
// is written into Azure with it. (The database's own roles are made by `opal migrate`.)
@description('Object ids: webApi, billingService, orchestrator, exportWorker, scoring, platform.')
param identities object
param storageName string
param learningStorageName string
param servicebusName string
param vaultName string
param registryName string

@description('Whether Key Vault\'s secrets are there, so that roles can be given on each of them.')
param secretsExist bool
param deployerPrincipalId string
param promoterPrincipalId string

var role = {
  blobContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // Storage Blob Data Contributor
  blobReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1' // Storage Blob Data Reader
  blobDelegator: 'db58b8e5-c6ad-4a2a-8342-4190687cbf4a' // Storage Blob Delegator
  queueSender: '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39' // Azure Service Bus Data Sender
  queueReceiver: '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0' // Azure Service Bus Data Receiver
  queueOwner: '090c5cfd-751d-490a-894a-3ce6f1109419' // Azure Service Bus Data Owner
  secretsUser: '4633458b-17de-408a-b874-0445c86b69e6' // Key Vault Secrets User
  secretsOfficer: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7' // Key Vault Secrets Officer
  imagePuller: '7f951dda-4ed3-4680-a7ca-43fe172d538d' // AcrPull
}

// --- pictures -------------------------------------------------------------------------------------------------------

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' existing = {
  parent: storage
  name: 'default'
}

resource raw 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = {
  parent: blobs
  name: 'raw'
}

resource outputs 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = {
  parent: blobs
  name: 'outputs'
}

resource exports 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = {
  parent: blobs
  name: 'exports'
}

var onStorage = [
  { who: 'webApi', role: 'blobDelegator', reason: 'signs the URLs that clients upload to and download from' }
  { who: 'orchestrator', role: 'blobDelegator', reason: 'signs the URLs that the placement endpoint reads and writes' }
]

// A signed URL can do no more than who signed it, so signing a write takes the right to write.
var onRaw = [
  { who: 'webApi', role: 'blobContributor', reason: 'signs uploads, looks at what was uploaded, removes backdrops' }
  { who: 'orchestrator', role: 'blobReader', reason: 'signs the endpoint\'s look at the photo' }
  { who: 'exportWorker', role: 'blobReader', reason: 'composes variants from the photo' }
]

var onOutputs = [
  { who: 'webApi', role: 'blobContributor', reason: 'signs downloads; removes what is too old, orphaned or to be erased' }
  { who: 'orchestrator', role: 'blobContributor', reason: 'signs the endpoint\'s writes, stores inline outputs, checks both' }
  { who: 'exportWorker', role: 'blobReader', reason: 'composes variants with the matte' }
]

var onExports = [
  { who: 'webApi', role: 'blobContributor', reason: 'signs and streams downloads; removes the old, orphaned or erased' }
  { who: 'orchestrator', role: 'blobReader', reason: 'its /readyz looks whether all three containers are there' }
  { who: 'exportWorker', role: 'blobContributor', reason: 'writes variants, and removes those of an attempt that lost' }
]

resource storageRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in onStorage: {
    name: guid(storage.id, each.who, role[each.role])
    scope: storage
    properties: {
      principalId: identities[each.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role[each.role])
      description: each.reason
    }
  }
]

resource rawRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in onRaw: {
    name: guid(raw.id, each.who, role[each.role])
    scope: raw
    properties: {
      principalId: identities[each.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role[each.role])
      description: each.reason
    }
  }
]

resource outputsRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in onOutputs: {
    name: guid(outputs.id, each.who, role[each.role])
    scope: outputs
    properties: {
      principalId: identities[each.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role[each.role])
      description: each.reason
    }
  }
]

resource exportsRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in onExports: {
    name: guid(exports.id, each.who, role[each.role])
    scope: exports
    properties: {
      principalId: identities[each.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role[each.role])
      description: each.reason
    }
  }
]

// --- messages -------------------------------------------------------------------------------------------------------

resource servicebus 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: servicebusName
}

resource jobsQueue 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' existing = {
  parent: servicebus
  name: 'jobs'
}

resource exportsQueue 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' existing = {
  parent: servicebus
  name: 'exports'
}

var onJobsQueue = [
  { who: 'webApi', role: 'queueSender', reason: 'its outbox relay publishes jobs' }
  { who: 'webApi', role: 'queueReceiver', reason: 'its sweeper peeks at what waits and at dead letters' }
  { who: 'orchestrator', role: 'queueReceiver', reason: 'the one consumer of jobs' }
  { who: 'orchestrator', role: 'queueSender', reason: 'giving a message back for later sends a copy' }
  { who: 'exportWorker', role: 'queueReceiver', reason: 'its /readyz peeks here; it receives nothing' }
  { who: 'platform', role: 'queueOwner', reason: 'KEDA counts messages, which Service Bus tells its owner only' }
]

var onExportsQueue = [
  { who: 'webApi', role: 'queueSender', reason: 'its outbox relay publishes exports' }
  { who: 'webApi', role: 'queueReceiver', reason: 'its sweeper peeks at what waits and at dead letters' }
  { who: 'orchestrator', role: 'queueSender', reason: 'publishes the outbox right after it completed an item' }
  { who: 'exportWorker', role: 'queueReceiver', reason: 'the one consumer of exports' }
  { who: 'exportWorker', role: 'queueSender', reason: 'giving a message back for later sends a copy' }
  { who: 'platform', role: 'queueOwner', reason: 'KEDA counts messages, which Service Bus tells its owner only' }
]

resource jobsQueueRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in onJobsQueue: {
    name: guid(jobsQueue.id, each.who, role[each.role])
    scope: jobsQueue
    properties: {
      principalId: identities[each.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role[each.role])
      description: each.reason
    }
  }
]

resource exportsQueueRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in onExportsQueue: {
    name: guid(exportsQueue.id, each.who, role[each.role])
    scope: exportsQueue
    properties: {
      principalId: identities[each.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role[each.role])
      description: each.reason
    }
  }
]

// --- secrets --------------------------------------------------------------------------------------------------------

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName
}

resource scoringUrl 'Microsoft.KeyVault/vaults/secrets@2023-07-01' existing = {
  parent: vault
  name: 'scoring-url'
}

resource scoringKey 'Microsoft.KeyVault/vaults/secrets@2023-07-01' existing = {
  parent: vault
  name: 'scoring-key'
}

resource deliveryKey 'Microsoft.KeyVault/vaults/secrets@2023-07-01' existing = {
  parent: vault
  name: 'delivery-key'
}

resource telemetryConnection 'Microsoft.KeyVault/vaults/secrets@2023-07-01' existing = {
  parent: vault
  name: 'telemetry-connection-string'
}

var onScoringSecrets = [
  { who: 'webApi', role: 'secretsUser', reason: 'asks the placement endpoint for single pictures' }
  { who: 'orchestrator', role: 'secretsUser', reason: 'asks the placement endpoint' }
]

var onDeliveryKey = [
  { who: 'webApi', role: 'secretsUser', reason: 'seals the secrets of webhooks and delivery targets' }
]

var onTelemetryConnection = [
  { who: 'webApi', role: 'secretsUser', reason: 'sends its spans' }
  { who: 'billingService', role: 'secretsUser', reason: 'sends its spans' }
  { who: 'orchestrator', role: 'secretsUser', reason: 'sends its spans' }
  { who: 'exportWorker', role: 'secretsUser', reason: 'sends its spans' }
]

var scoringSecretsThere = secretsExist ? onScoringSecrets : []
var deliveryKeyThere = secretsExist ? onDeliveryKey : []
var telemetryConnectionThere = secretsExist ? onTelemetryConnection : []

resource scoringUrlRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in scoringSecretsThere: {
    name: guid(scoringUrl.id, each.who, role[each.role])
    scope: scoringUrl
    properties: {
      principalId: identities[each.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role[each.role])
      description: each.reason
    }
  }
]

resource scoringKeyRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in scoringSecretsThere: {
    name: guid(scoringKey.id, each.who, role[each.role])
    scope: scoringKey
    properties: {
      principalId: identities[each.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role[each.role])
      description: each.reason
    }
  }
]

resource deliveryKeyRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in deliveryKeyThere: {
    name: guid(deliveryKey.id, each.who, role[each.role])
    scope: deliveryKey
    properties: {
      principalId: identities[each.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role[each.role])
      description: each.reason
    }
  }
]

resource telemetryConnectionRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in telemetryConnectionThere: {
    name: guid(telemetryConnection.id, each.who, role[each.role])
    scope: telemetryConnection
    properties: {
      principalId: identities[each.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role[each.role])
      description: each.reason
    }
  }
]

// --- images and models ----------------------------------------------------------------------------------------------

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

resource learningStorage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: learningStorageName
}

var onRegistry = [
  { who: 'platform', role: 'imagePuller', reason: 'Container Apps pulls the image of the apps and of the job' }
  { who: 'scoring', role: 'imagePuller', reason: 'the placement endpoint pulls its image' }
]

var onLearningStorage = [
  { who: 'scoring', role: 'blobReader', reason: 'Azure ML asks it of an endpoint\'s identity; what it runs is in its image' }
]

resource registryRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in onRegistry: {
    name: guid(registry.id, each.who, role[each.role])
    scope: registry
    properties: {
      principalId: identities[each.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role[each.role])
      description: each.reason
    }
  }
]

resource learningStorageRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for each in onLearningStorage: {
    name: guid(learningStorage.id, each.who, role[each.role])
    scope: learningStorage
    properties: {
      principalId: identities[each.who]
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role[each.role])
      description: each.reason
    }
  }
]

// --- the workflow ---------------------------------------------------------------------------------------------------
// What it needs beside Contributor on the resource group, which a person gives it once (docs/azure.md); that lets it push images
// already, but neither read nor write what is stored.

resource deployerKeepsSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(deployerPrincipalId)) {
  name: guid(vault.id, deployerPrincipalId, role.secretsOfficer)
  scope: vault
  properties: {
    principalId: deployerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.secretsOfficer)
    description: 'the workflow puts the endpoint\'s secrets and the sealing key into the vault, and reads the journey\'s'
  }
}

resource deployerUploadsPhotos 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(deployerPrincipalId)) {
  name: guid(learningStorage.id, deployerPrincipalId, role.blobContributor)
  scope: learningStorage
  properties: {
    principalId: deployerPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.blobContributor)
    description: 'the workflow uploads and signs the photo with which it tries the endpoint'
  }
}

resource promoterPulls 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(promoterPrincipalId)) {
  name: guid(registry.id, promoterPrincipalId, role.imagePuller)
  scope: registry
  properties: {
    principalId: promoterPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.imagePuller)
    description: 'the next environment\'s workflow copies images that were tried here'
  }
}
