"""What operators look at and mend while Opal runs: services and queues, for the command line and the API."""
