"""The container engine as the control plane sees it: optional, and looked at now and then."""
