"""What every endpoint needs: the services, answers, bodies, the client's address of us, the access log."""
