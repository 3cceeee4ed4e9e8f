"""What tests stand on: databases made from templates, virtual hosts of their own, services in this process."""
