// The workspace and the placement endpoint. Its deployments, `blue` and `green`, are azureml/'s, put there by
// infra/deploy/endpoint.py.
param environmentName string
param location string
param tags object
param storageName string
param vaultId string
param registryId string
param insightsId string
param identityId string

@description('Percent of the traffic by deployment, as it is now.')
param traffic object

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageName
}

resource workspace 'Microsoft.MachineLearningServices/workspaces@2024-10-01' = {
  name: 'opal-${environmentName}'
  location: location
  tags: tags
  sku: { name: 'Basic', tier: 'Basic' }
  identity: { type: 'SystemAssigned' }
  properties: {
    friendlyName: 'Opal ${environmentName}'
    storageAccount: storage.id
    keyVault: vaultId
    applicationInsights: insightsId
    containerRegistry: registryId
    systemDatastoresAuthMode: 'identity'
    publicNetworkAccess: 'Enabled'
  }
}

resource endpoint 'Microsoft.MachineLearningServices/workspaces/onlineEndpoints@2024-10-01' = {
  parent: workspace
  name: 'opal-sd-placement-${environmentName}'
  location: location
  tags: tags
  kind: 'Managed'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    authMode: 'Key'
    publicNetworkAccess: 'Enabled'
    traffic: traffic
  }
}

output workspaceName string = workspace.name
output endpointName string = endpoint.name
