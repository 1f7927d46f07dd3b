"""The command ``alphalab train``: outside of `alphalab_envs`, so that no other command imports it."""
