// One Container App. Called by apps.bicep for each of the four.
param name string
param location string
param tags object
param containersId string

@description('id: the app\'s own identity, the only one that its code can ask for.')
param identity object

@description('Pulls the image and counts messages; out of the code\'s reach.')
param platformIdentityId string
param registryServer string
param image string

@description('cpu, memory, minReplicas, maxReplicas.')
param size object

@description('What `opal` is told, such as `web-api`.')
param args array
param env array

@description('name and url in Key Vault of each secret, fetched by the app\'s own identity.')
param secrets array = []

@description('Port of /healthz and /readyz.')
param port int

@description('Whether the internet reaches `port`; otherwise nobody does but the probes.')
param public bool = false
param scaleRules array = []

var openDoor = {
  external: true
  targetPort: port
  transport: 'auto'
  allowInsecure: false
  traffic: [{ latestRevision: true, weight: 100 }]
}

resource app 'Microsoft.App/containerApps@2025-01-01' = {
  name: name
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
      activeRevisionsMode: 'Single'
      ingress: public ? openDoor : null
      registries: [{ server: registryServer, identity: platformIdentityId }]
      secrets: [for secret in secrets: { name: secret.name, keyVaultUrl: secret.url, identity: identity.id }]
      identitySettings: [
        { identity: identity.id, lifecycle: 'All' }
        { identity: platformIdentityId, lifecycle: 'None' }
      ]
    }
    template: {
      terminationGracePeriodSeconds: 60
      containers: [
        {
          name: 'opal'
          image: image
          args: args
          env: env
          resources: { cpu: json(size.cpu), memory: size.memory }
          probes: [
            {
              type: 'Startup'
              httpGet: { path: '/healthz', port: port }
              // Two minutes; ten failures are the most that may be asked for.
              periodSeconds: 12
              timeoutSeconds: 5
              failureThreshold: 10
            }
            {
              type: 'Liveness'
              httpGet: { path: '/healthz', port: port }
              periodSeconds: 10
              timeoutSeconds: 5
              failureThreshold: 6
            }
            {
              type: 'Readiness'
              httpGet: { path: '/readyz', port: port }
              periodSeconds: 10
              // Each dependency is given 3 s, all at the same time.
              timeoutSeconds: 5
              failureThreshold: 3
            }
          ]
        }
      ]
      scale: {
        minReplicas: size.minReplicas
        maxReplicas: size.maxReplicas
        pollingInterval: 15
        cooldownPeriod: 300
        rules: scaleRules
      }
    }
  }
}
