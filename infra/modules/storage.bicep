// The pictures. Clients reach the account by signed URLs, so it is public by address and closed without a signature; keys
// are switched off, so every signature is an identity's (user delegation).
param name string
param location string
param tags object
param sku string

@description('coolAfterDays and coldAfterDays since the last change. No rule deletes: that is web-api\'s part, whose rows say so first (OPAL_RETENTION_*, docs/upkeep.md).')
param lifecycle object

@description('Origins whose pages send photos to signed URLs and read pictures from them: the console\'s, and others that upload.')
param browserOrigins array

var browserRules = [
  {
    allowedOrigins: browserOrigins
    allowedMethods: ['GET', 'PUT']
    allowedHeaders: ['content-type', 'x-ms-blob-type', 'x-ms-client-request-id', 'x-ms-blob-content-type', 'if-none-match']
    exposedHeaders: ['etag']
    maxAgeInSeconds: 3600
  }
]

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: 'Enabled'
    allowCrossTenantReplication: false
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: 7 }
    containerDeleteRetentionPolicy: { enabled: true, days: 7 }
    cors: { corsRules: browserRules }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = [
  for name in ['raw', 'outputs', 'exports']: {
    parent: blobs
    name: name
    properties: { publicAccess: 'None' }
  }
]

resource ageing 'Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'cheaper-with-age'
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['raw/', 'outputs/', 'exports/'] }
            actions: {
              baseBlob: {
                tierToCool: { daysAfterModificationGreaterThan: lifecycle.coolAfterDays }
                tierToCold: { daysAfterModificationGreaterThan: lifecycle.coldAfterDays }
              }
            }
          }
        }
      ]
    }
  }
}

output name string = account.name
output blobUrl string = 'https://${account.name}.blob.${environment().suffixes.storage}'
