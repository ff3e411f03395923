// For trying things: one replica at most of what is not always on, nothing redundant.
using './main.bicep'

param environmentName = 'dev'
param location = 'westeurope'

param apps = {
  webApi: { cpu: '0.5', memory: '1Gi', minReplicas: 1, maxReplicas: 2 }
  orchestrator: { cpu: '0.25', memory: '0.5Gi', minReplicas: 0, maxReplicas: 1 }
  exportWorker: { cpu: '1.0', memory: '2Gi', minReplicas: 0, maxReplicas: 4 }
  billingService: { cpu: '0.25', memory: '0.5Gi', minReplicas: 1, maxReplicas: 1 }
}

// Messages per replica: five times what it has in hand (docs/scaling.md).
param workers = {
  orchestrator: { concurrency: 2, messagesPerReplica: 10 }
  exportWorker: { concurrency: 2, messagesPerReplica: 10 }
}

param database = {
  sku: 'Standard_B2s'
  tier: 'Burstable'
  storageGb: 32
  backupDays: 7
  zoneRedundant: false
  poolSize: 10
}

param storageSku = 'Standard_LRS'
param lifecycle = { coolAfterDays: 30, coldAfterDays: 90 }
param retention = { rawDays: '', outputsDays: '', exportsDays: '' }
param uploadOrigins = []
param registrySku = 'Basic'
param logs = { retentionDays: 30, dailyGb: 1 }
param scoring = { instances: 1, concurrency: 1 }
param zoneRedundant = false

param migrationImage = readEnvironmentVariable('OPAL_MIGRATION_IMAGE', '')
param appImage = readEnvironmentVariable('OPAL_APP_IMAGE', '')
param endpointTraffic = json(readEnvironmentVariable('OPAL_ENDPOINT_TRAFFIC', '{}'))
param deployerPrincipalId = readEnvironmentVariable('OPAL_DEPLOYER_PRINCIPAL_ID', '')
param promoterPrincipalId = readEnvironmentVariable('OPAL_PROMOTER_PRINCIPAL_ID', '')
