"""Other services that say who somebody is: OpenID Connect providers and GitHub."""
