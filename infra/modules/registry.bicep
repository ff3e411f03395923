// The images. Pulled by identities, pushed by the workflow; no admin user.
param name string
param location string
param tags object
param sku string

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: sku }
  properties: { adminUserEnabled: false, anonymousPullEnabled: false }
}

output id string = registry.id
output name string = registry.name
output server string = registry.properties.loginServer
