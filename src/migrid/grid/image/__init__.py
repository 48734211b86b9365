"""The helper image: what MigHelper, movers and forwards run. Each grid builds it from the distribution's packages."""
