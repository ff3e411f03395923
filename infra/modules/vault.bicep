// The secrets that are left: the placement endpoint's address and key, the key that seals tenants' secrets, and where spans
// are sent, put there by infra/deploy/vault.py; and the key of the tenant `journey`, by a person, once (DEPLOYMENT-CHECKLIST.md).
// Never by a template, whose parameters stay readable in its deployment.
param name string
param location string
param tags object
param workspaceId string

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    // The workflow's runners and Container Apps' own reader of secrets come from addresses that are not ours.
    publicNetworkAccess: 'Enabled'
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'audit'
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
  }
}

output id string = vault.id
output name string = vault.name
output url string = vault.properties.vaultUri
