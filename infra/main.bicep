// Everything that Opal runs on in Azure, for one environment in one resource group.
//
// Applied three times by .github/workflows/deploy.yml: without images (the platform), with `migrationImage` (the job,
// and the roles that need Key Vault's secrets to be there), and with `appImage` (the four apps). Applying
// it with the images that run already changes nothing.
//
//   az deployment group what-if --resource-group RG --parameters infra/dev.bicepparam
targetScope = 'resourceGroup'

@description('Which environment this is; ends every name.')
@allowed(['dev', 'prod'])
param environmentName string

@description('Azure region of everything.')
param location string = resourceGroup().location

@description('Replicas and size of each app: cpu in vCPU, memory in Gi, least and most replicas.')
param apps object

@description('Of orchestrator and exportWorker: items in hand per replica, and messages per replica that KEDA aims at.')
param workers object

@description('PostgreSQL: sku, tier, storageGb, backupDays, zoneRedundant, and connections per process.')
param database object

@description('Redundancy of the pictures\' storage account.')
@allowed(['Standard_LRS', 'Standard_ZRS'])
param storageSku string

@description('Days after which pictures move to a cheaper tier.')
param lifecycle object

@description('rawDays, outputsDays and exportsDays that web-api keeps pictures; empty: for ever (docs/upkeep.md).')
param retention object

@description('Origins beside the console\'s own whose pages send photos to signed URLs and read pictures from them.')
param uploadOrigins array

@description('Tier of the container registry.')
@allowed(['Basic', 'Standard', 'Premium'])
param registrySku string

@description('Log Analytics: days kept, and gigabytes a day after which it stops.')
param logs object

@description('The placement endpoint: instances and requests that one of them works on at a time.')
param scoring object

@description('Whether the Container Apps environment spreads over availability zones; cannot be changed later.')
param zoneRedundant bool

@description('Image of the migration job by digest; empty: no job yet.')
param migrationImage string = ''

@description('Image of the four apps by digest; empty: no apps yet.')
param appImage string = ''

@description('Share of each of the endpoint\'s deployments, as it is now; without it an update would take all traffic away.')
param endpointTraffic object = {}

@description('Object id of the GitHub workflow\'s service principal; empty: it gets no roles.')
param deployerPrincipalId string = ''

@description('Object id of the service principal that copies images from this registry to the next environment\'s; empty: none.')
param promoterPrincipalId string = ''

var suffix = take(uniqueString(resourceGroup().id), 6)
var tags = { application: 'opal', environment: environmentName }

module identities 'modules/identities.bicep' = {
  name: 'identities'
  params: { environmentName: environmentName, location: location, tags: tags }
}

module network 'modules/network.bicep' = {
  name: 'network'
  params: { environmentName: environmentName, location: location, tags: tags }
}

module observability 'modules/observability.bicep' = {
  name: 'observability'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    retentionDays: logs.retentionDays
    dailyGb: logs.dailyGb
  }
}

module registry 'modules/registry.bicep' = {
  name: 'registry'
  params: { name: 'opal${environmentName}${suffix}', location: location, tags: tags, sku: registrySku }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  params: {
    name: 'opal-${environmentName}-${suffix}'
    location: location
    tags: tags
    workspaceId: observability.outputs.workspaceId
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    name: 'opal${environmentName}${suffix}'
    location: location
    tags: tags
    sku: storageSku
    lifecycle: lifecycle
    browserOrigins: concat(['https://opal-web-api-${environmentName}.${containers.outputs.domain}'], uploadOrigins)
  }
}

module servicebus 'modules/servicebus.bicep' = {
  name: 'servicebus'
  params: { name: 'opal-${environmentName}-${suffix}', location: location, tags: tags }
}

module postgres 'modules/postgres.bicep' = {
  name: 'postgres'
  params: {
    name: 'opal-${environmentName}-${suffix}'
    location: location
    tags: tags
    server: database
    subnetId: network.outputs.databaseSubnetId
    dnsZoneId: network.outputs.databaseDnsZoneId
    administratorId: identities.outputs.migration.principalId
    administratorName: identities.outputs.migration.name
  }
}

module learning 'modules/machine-learning.bicep' = {
  name: 'machine-learning'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    storageName: learningStorage.outputs.name
    vaultId: vault.outputs.id
    registryId: registry.outputs.id
    insightsId: observability.outputs.insightsId
    identityId: identities.outputs.scoring.id
    traffic: endpointTraffic
  }
  // The endpoint is refused when its identity may not pull and read yet.
  dependsOn: [roles]
}

module roles 'modules/roles.bicep' = {
  name: 'roles'
  params: {
    identities: identities.outputs.principals
    storageName: storage.outputs.name
    learningStorageName: learningStorage.outputs.name
    servicebusName: servicebus.outputs.name
    vaultName: vault.outputs.name
    registryName: registry.outputs.name
    secretsExist: !empty(migrationImage) || !empty(appImage)
    deployerPrincipalId: deployerPrincipalId
    promoterPrincipalId: promoterPrincipalId
  }
}

module learningStorage 'modules/learning-storage.bicep' = {
  name: 'learning-storage'
  params: { name: 'opalml${environmentName}${suffix}', location: location, tags: tags }
}

module containers 'modules/containers.bicep' = {
  name: 'containers'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    subnetId: network.outputs.containersSubnetId
    workspaceId: observability.outputs.workspaceId
    zoneRedundant: zoneRedundant
  }
}

module migration 'modules/migration.bicep' = if (!empty(migrationImage)) {
  name: 'migration'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    containersId: containers.outputs.id
    identity: identities.outputs.migration
    platformIdentityId: identities.outputs.platform.id
    registryServer: registry.outputs.server
    image: migrationImage
    databaseHost: postgres.outputs.host
  }
  dependsOn: [roles]
}

module services 'modules/apps.bicep' = if (!empty(appImage)) {
  name: 'apps'
  params: {
    environmentName: environmentName
    location: location
    tags: tags
    containersId: containers.outputs.id
    domain: containers.outputs.domain
    identities: identities.outputs.apps
    platformIdentityId: identities.outputs.platform.id
    registryServer: registry.outputs.server
    image: appImage
    sizes: apps
    workers: workers
    retention: retention
    scoring: scoring
    databaseHost: postgres.outputs.host
    databasePoolSize: database.poolSize
    blobUrl: storage.outputs.blobUrl
    servicebusHost: servicebus.outputs.host
    servicebusName: servicebus.outputs.name
    vaultUrl: vault.outputs.url
  }
  dependsOn: [roles]
}

output registryName string = registry.outputs.name
output registryServer string = registry.outputs.server
output vaultName string = vault.outputs.name
output insightsId string = observability.outputs.insightsId
output servicebusName string = servicebus.outputs.name
output learningStorageName string = learningStorage.outputs.name
output endpointInstances int = scoring.instances
output endpointConcurrency int = scoring.concurrency
output machineLearningWorkspace string = learning.outputs.workspaceName
output webApiUrl string = 'https://opal-web-api-${environmentName}.${containers.outputs.domain}'
