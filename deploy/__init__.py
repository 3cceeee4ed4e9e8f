"""How the platform is run: compose files, images, database bootstrap, and the local machine room (`deploy.local`)."""
