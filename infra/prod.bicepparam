// For work: what is always on is there twice, the database has a standby in another zone.
using './main.bicep'

param environmentName = 'prod'
param location = 'westeurope'

param apps = {
  webApi: { cpu: '1.0', memory: '2Gi', minReplicas: 2, maxReplicas: 10 }
  orchestrator: { cpu: '0.5', memory: '1Gi', minReplicas: 0, maxReplicas: 2 }
  exportWorker: { cpu: '2.0', memory: '4Gi', minReplicas: 0, maxReplicas: 30 }
  billingService: { cpu: '0.25', memory: '0.5Gi', minReplicas: 2, maxReplicas: 4 }
}

// Messages per replica: five times what it has in hand (docs/scaling.md).
param workers = {
  orchestrator: { concurrency: 4, messagesPerReplica: 20 }
  exportWorker: { concurrency: 2, messagesPerReplica: 10 }
}

param database = {
  sku: 'Standard_D4ds_v5'
  tier: 'GeneralPurpose'
  storageGb: 128
  backupDays: 35
  zoneRedundant: true
  poolSize: 10
}

param storageSku = 'Standard_ZRS'
param lifecycle = { coolAfterDays: 30, coldAfterDays: 90 }
param retention = { rawDays: '', outputsDays: '', exportsDays: '' }
param uploadOrigins = []
param registrySku = 'Standard'
param logs = { retentionDays: 90, dailyGb: 20 }
param scoring = { instances: 4, concurrency: 1 }
param zoneRedundant = true

param migrationImage = readEnvironmentVariable('OPAL_MIGRATION_IMAGE', '')
param appImage = readEnvironmentVariable('OPAL_APP_IMAGE', '')
param endpointTraffic = json(readEnvironmentVariable('OPAL_ENDPOINT_TRAFFIC', '{}'))
param deployerPrincipalId = readEnvironmentVariable('OPAL_DEPLOYER_PRINCIPAL_ID', '')
param promoterPrincipalId = readEnvironmentVariable('OPAL_PROMOTER_PRINCIPAL_ID', '')
