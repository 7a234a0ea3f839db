import os

root = os.environ["FAKE_ROOT"]
user_config_path = user_cache_path = os.path.join(
    os.environ.get("FAKE_HOME") or os.path.join(root, "home"), ".spack"
)
