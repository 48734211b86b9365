"""The WebDAV service of a site, `grid_webdavs`: the users' homes over HTTPS, as RFC 4918 (classes 1 and 2) has it.

Apache has the connection and TLS. `login` says who asks, `Home` is the one door to the files, and WsgiDAV knows the
methods of the RFC; `methods` adds the three that move data. `application` puts them together.
"""
