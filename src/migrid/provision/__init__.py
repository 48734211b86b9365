"""What the Ansible plugins of this project do, apart from Ansible: checks of an inventory and changes to a host."""
