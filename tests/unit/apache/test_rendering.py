"""What the role apache renders for several inventories, checked by the real Apache where it is Debian's."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from authorities import Authority
from cryptography.hazmat.primitives.serialization import Encoding

from migrid.provision.import_site import import_site

EVERY_KIND = {
    "name": "extra",
    "fqdn": "extra.grid.example.org",
    "aliases": ["other.grid.example.org"],
    "port": 8444,
    "document_root": "/srv/extra",
    "content_security_policy": 'default-src "quoted\\" 100%',
    "directives": ["LimitRequestBody 10"],
    "locations": [
        {"path": "/", "redirect": "/files/", "status": 303},
        {"path": "/files/", "directory": "/srv/files", "listing": True},
        {"path": "/app/", "proxy": "http://127.0.0.1:9000/", "headers": {"X-Site": 'a "b" %t'}},
        {"path": "/gone/", "refuse": 410, "directives": ["LimitRequestBody 20"]},
        {"path": "/own/", "directory": "/srv/own", "content_security_policy": "default-src 'none'"},
    ],
}
INVENTORIES: dict[str, dict[str, Any]] = {
    "minimal": {},
    "different ports": {"mig_sid_port": 8443, "mig_public_http_port": 8080, "mig_public_https_port": 4443},
    "one name, two ports": {"mig_sid_fqdn": "www.grid.example.org", "mig_sid_port": 8443},
    "every kind of location": {"apache_extra_virtual_hosts": [EVERY_KIND]},
    "few workers": {"apache_worker_procs": 1},
    "workers that are no multiple": {"apache_worker_procs": 33},
    "no HSTS, own front page, ACME": {
        "mig_enable_hsts": False,
        "apache_front_page": "/public/index.html",
        "apache_acme_directory": "/var/www/acme",
    },
    "hostile title": {
        "mig_title": 'Grid</title><script>alert("1")</script> \'&"\nListen 666',
        "mig_admin_email": "root@example.org",
        "mig_support_email": '"><script>@example.org',
    },
    "server directives": {
        "apache_directives": ["RewriteEngine On", "LogLevel ssl:debug"],
        "apache_extra_modules": ["rewrite"],
        "apache_log_level": "debug",
    },
}
TO_BE_GIVEN = {
    "apache_ext_cert_authority": Authority("Other").certificate.public_bytes(Encoding.PEM).decode(),
    "mig_ext_oidc_provider_meta_url": "https://id.example.net/.well-known/openid-configuration",
    "mig_ext_oidc_client_id": "data",
}
EXAMPLES = sorted((Path(__file__).parents[2] / "data/generator").iterdir())


def imported(example: Path) -> dict[str, Any]:
    """The variables of a site of MiG, with what the import says is to be given."""
    found = import_site(example.read_text())
    return found.variables | {name: TO_BE_GIVEN[name] for name in found.missing if name in TO_BE_GIVEN}


def served(variables: dict[str, Any]) -> dict[str, Any]:
    """The same, served by an account of the test's own."""
    return {name: value for name, value in variables.items() if name not in ("mig_user", "mig_group", "mig_certs")}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_apache_accepts_an_imported_site(new_site: Callable[..., Any], example: Path) -> None:
    checked = new_site(**served(imported(example))).check()
    assert (checked.returncode, checked.stderr.splitlines()[-1]) == (0, "Syntax OK"), checked.stderr


@pytest.mark.parametrize("example", [path for path in EXAMPLES if "centos" in path.stem], ids=lambda path: path.stem)
def test_an_imported_site_of_red_hat_stays_one(render: Callable[..., Any], example: Path) -> None:
    files = render("RedHat", **imported(example))
    assert "/etc/systemd/system/httpd.service.d/migrid.conf" in files
    assert 'SSLCertificateFile "/etc/httpd/MiG-certificates/public.crt"' in files["vhosts/public.conf"]


@pytest.mark.parametrize("inventory", INVENTORIES.values(), ids=INVENTORIES.keys())
def test_apache_accepts_what_is_rendered(new_site: Callable[..., Any], inventory: dict[str, Any]) -> None:
    checked = new_site(**inventory).check()
    assert (checked.returncode, checked.stderr.splitlines()[-1]) == (0, "Syntax OK"), checked.stderr


def test_two_names_share_a_port_and_strangers_come_first(new_site: Callable[..., Any]) -> None:
    dump = new_site().virtual_hosts()
    secure = dump[dump.index("*:443") :]
    assert "default server unknown.invalid" in secure
    served = set(re.findall(r"port 443 namevhost (\S+)", secure))
    assert served == {"unknown.invalid", "www.grid.example.org", "sid.grid.example.org"}


def test_each_port_has_its_listener(render: Callable[..., Any]) -> None:
    files = render(mig_sid_port=8443)
    assert re.findall(r"^Listen (.*)$", files["MiG.conf"], re.MULTILINE) == ["80 http", "443 https", "8443 https"]


def test_modules_are_loaded_only_where_used(render: Callable[..., Any]) -> None:
    assert not re.search("proxy|autoindex|cgi|include|rewrite", render()["MiG.conf"].split("Listen")[0])
    loaded = render(apache_extra_virtual_hosts=[EVERY_KIND])["MiG.conf"]
    assert {"proxy", "proxy_http", "autoindex"} <= set(re.findall(r"^LoadModule (\w+)_module", loaded, re.MULTILINE))


def test_title_is_escaped_in_every_page(render: Callable[..., Any]) -> None:
    files = render(**INVENTORIES["hostile title"])
    pages = {path: content for path, content in files.items() if path.endswith(".html")}
    assert len(pages) >= 4
    assert not [path for path, content in pages.items() if "<script>" in content]


def test_front_page_leads_to_the_logins_where_there_are_some(render: Callable[..., Any]) -> None:
    link = "/cgi-sid/login.py"
    assert link not in render()["www/index.html"]
    assert link in render(mig_cert_fqdn="cert.example.org")["www/index.html"]


def test_a_skin_is_served_and_named_on_each_page(render: Callable[..., Any], tmp_path: Path) -> None:
    assert "skin" not in render()["www/errors/404.html"]
    (tmp_path / "skin.css").write_text(":root { --accent: #a00; }\n")
    rendered = render(mig_skin=str(tmp_path / "skin.css"))
    assert rendered["www/assets/skin.css"] == ":root { --accent: #a00; }\n"
    assert '<link rel="stylesheet" href="/assets/skin.css">' in rendered["www/errors/404.html"]


def test_front_page_names_the_ways_in(render: Callable[..., Any]) -> None:
    page = render(mig_enable_sftp=True, mig_io_fqdn="io.example.org", mig_sid_port=8443)["www/index.html"]
    assert "sftp -P 2222 <i>login</i>@io.example.org" in page
    assert 'href="https://sid.grid.example.org:8443/status/"' in page
    assert "22222" not in page


def test_red_hat_gets_its_own_paths(render: Callable[..., Any]) -> None:
    files = render("RedHat")
    drop_in = files["/etc/systemd/system/httpd.service.d/migrid.conf"]
    assert "ExecStart=/usr/sbin/httpd -d /etc/migrid/apache -f MiG.conf -D FOREGROUND\n" in drop_in
    assert "LoadModule systemd_module /usr/lib64/httpd/modules/mod_systemd.so\n" in files["MiG.conf"]
    assert not [path for path, content in files.items() if "apache2" in path + content and path != "check"]


def test_workers_see_only_what_is_served(render: Callable[..., Any]) -> None:
    drop_in = render(apache_extra_virtual_hosts=[EVERY_KIND])["/etc/systemd/system/apache2.service.d/migrid.conf"]
    bound = re.findall(r"^BindReadOnlyPaths=-(.*)$", drop_in, re.MULTILINE)
    assert sorted(bound) == [
        "/home/mig/state/webserver_home/status",
        "/home/mig/state/wwwpublic",
        "/srv/extra",
        "/srv/files",
        "/srv/own",
    ]
    assert "ProtectHome=tmpfs\n" in drop_in
    assert "TemporaryFileSystem" not in drop_in


def test_a_home_elsewhere_is_hidden_too(render: Callable[..., Any]) -> None:
    files = render(mig_home="/srv/mig", mig_state="/srv/mig/state")
    assert "TemporaryFileSystem=/srv/mig:ro\n" in files["/etc/systemd/system/apache2.service.d/migrid.conf"]


def test_certificate_files_take_the_place_of_the_sites_own(
    render: Callable[..., Any], evaluate: Callable[..., Any]
) -> None:
    pair = {"certificate": "/etc/letsencrypt/live/sid/fullchain.pem", "key": "/etc/letsencrypt/live/sid/privkey.pem"}
    inventory = {"apache_certificate_files": {"sid": pair}}
    virtual_host = render(**inventory)["vhosts/sid.conf"]
    assert f'SSLCertificateFile "{pair["certificate"]}"' in virtual_host
    assert f'SSLCertificateKeyFile "{pair["key"]}"' in virtual_host
    assert [entry["name"] for entry in evaluate("__apache_certificates", **inventory)] == ["public"]


def host(**changes: Any) -> dict[str, Any]:
    return {"name": "extra", "fqdn": "extra.example.org", **changes}


def location(**fields: Any) -> dict[str, Any]:
    return host(locations=[{"path": "/x/", **fields}])


@pytest.mark.parametrize(
    ("inventory", "message"),
    [
        ({"mig_sid_fqdn": "www.grid.example.org"}, "same host name and port: www.grid.example.org:443"),
        ({"mig_sid_port": 80}, "virtual host sid: port 80 is mig_public_http_port"),
        ({"mig_public_fqdn": "www.example.org\nListen 666"}, "is not a host name"),
        ({"apache_extra_virtual_hosts": [host(name="public")]}, "same name: public"),
        ({"apache_extra_virtual_hosts": [host(name="../x")]}, "virtual host '../x': a name has"),
        ({"apache_extra_virtual_hosts": [host(name="ca")]}, "is not 'ca'"),
        ({"apache_extra_virtual_hosts": [host(aliases=["*"])]}, "'*' is not a host name"),
        ({"apache_certificate_files": {"sid": {"certificate": "/x.crt"}}}, "sid: give certificate and key"),
        ({"apache_certificate_files": {"sdi": {}}}, "'sdi' is no certificate of the site; they are public, sid"),
        (
            {"apache_extra_virtual_hosts": [location()]},
            "give one of application, directory, proxy, redirect, refuse, not none",
        ),
        ({"apache_extra_virtual_hosts": [location(proxy="http://a/", refuse=404)]}, "not proxy and refuse"),
        ({"apache_extra_virtual_hosts": [location(directory="srv")]}, "'srv' is not an absolute path"),
        ({"apache_extra_virtual_hosts": [location(redirect="/a\n</VirtualHost>")]}, "remove line breaks"),
        ({"apache_extra_virtual_hosts": [location(redirect="/${PATH}")]}, "remove line breaks and '${'"),
        ({"apache_extra_virtual_hosts": [location(refuse=404, headers={"A B": "c"})]}, "not the name of a header"),
        ({"apache_content_security_policy": "default-src 'self'\nListen 666"}, "remove line breaks"),
        ({"mig_admin_email": "a@example.org\nListen 666"}, "remove line breaks"),
    ],
)
def test_contradictions_and_hostile_values_are_refused(
    render: Callable[..., Any], inventory: dict[str, Any], message: str
) -> None:
    with pytest.raises(AnsibleError) as error:
        render(**inventory)
    assert message in str(error.value)


def test_a_bad_directive_fails_the_check(new_site: Callable[..., Any]) -> None:
    checked = new_site(apache_extra_virtual_hosts=[host(directives=["NoSuchDirective on"])]).check()
    assert checked.returncode != 0
    assert "NoSuchDirective" in checked.stderr


def test_a_key_of_another_certificate_fails_the_check(new_site: Callable[..., Any]) -> None:
    site = new_site()
    (site.root / "certs/sid.key").write_bytes((site.root / "certs/public.key").read_bytes())
    plain = subprocess.run(["apache2", "-t", "-d", str(site.set), "-f", "MiG.conf"], capture_output=True, check=False)
    assert plain.returncode == 0, "apache2 -t sees it now, so that the role's own comparison can go"
    checked = site.check()
    assert checked.returncode != 0
    assert "sid.key is not the key of the certificate" in checked.stderr
