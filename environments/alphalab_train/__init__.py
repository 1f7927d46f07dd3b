"""The command ``alphalab train``, outside of `alphalab_envs`: no other command imports that."""
