// The database: no public address, no passwords. The migration job's identity is its administrator; `opal migrate` makes
// the apps' roles (--app, --reader), since a template cannot.
param name string
param location string
param tags object

@description('sku, tier, storageGb, backupDays, zoneRedundant.')
param server object
param subnetId string
param dnsZoneId string
param administratorId string
param administratorName string

resource flexibleServer 'Microsoft.DBforPostgreSQL/flexibleServers@2024-08-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: server.sku, tier: server.tier }
  properties: {
    version: '16'
    authConfig: { activeDirectoryAuth: 'Enabled', passwordAuth: 'Disabled', tenantId: tenant().tenantId }
    storage: { storageSizeGB: server.storageGb, autoGrow: 'Enabled' }
    backup: {
      backupRetentionDays: server.backupDays
      geoRedundantBackup: 'Disabled'
    }
    highAvailability: { mode: server.zoneRedundant ? 'ZoneRedundant' : 'Disabled' }
    network: {
      delegatedSubnetResourceId: subnetId
      privateDnsZoneArmResourceId: dnsZoneId
      publicNetworkAccess: 'Disabled'
    }
  }
}

resource database 'Microsoft.DBforPostgreSQL/flexibleServers/databases@2024-08-01' = {
  parent: flexibleServer
  name: 'opal'
  properties: { charset: 'UTF8', collation: 'en_US.utf8' }
}

resource administrator 'Microsoft.DBforPostgreSQL/flexibleServers/administrators@2024-08-01' = {
  parent: flexibleServer
  name: administratorId
  properties: {
    principalName: administratorName
    principalType: 'ServicePrincipal'
    tenantId: tenant().tenantId
  }
  // The server takes one change at a time.
  dependsOn: [database]
}

output host string = flexibleServer.properties.fullyQualifiedDomainName
