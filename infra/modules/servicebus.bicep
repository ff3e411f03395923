// The queues. Standard: Basic has neither duplicate detection nor scheduled messages. What is set here must be what the
// settings say; tests/infra holds the two together.
param name string
param location string
param tags object

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: 'Standard', tier: 'Standard' }
  properties: { disableLocalAuth: true, minimumTlsVersion: '1.2' }
}

resource queues 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = [
  for queue in ['jobs', 'exports']: {
    parent: namespace
    name: queue
    properties: {
      lockDuration: 'PT1M'
      maxDeliveryCount: 30
      // Cannot be switched on later.
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: 'PT10M'
      // The database decides what is too old; a message that comes to an end all the same is kept to be looked at.
      deadLetteringOnMessageExpiration: true
      requiresSession: false
      enablePartitioning: false
      maxSizeInMegabytes: 5120
    }
  }
]

output name string = namespace.name
output host string = '${namespace.name}.servicebus.windows.net'
