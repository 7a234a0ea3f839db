"""Who reports: people, the tokens they write with, and the docker-style exchange of tokens."""
