"""An existing site of MiG becomes variables of an inventory, and nothing that it says is lost in silence."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader
from ansible.template import Templar, trust_as_template
from hypothesis import given
from hypothesis import strategies as st

from migrid.provision.import_site import Imported, ImportSiteError, import_command, import_site
from migrid.provision.options import option_of, options, variable_name

PROJECT = Path(__file__).parents[3]
EXAMPLES = sorted((PROJECT / "tests/data/generator").iterdir())
SPECS = yaml.safe_load((PROJECT / "roles/mig/meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
KINDS = {
    "bool": "bool",
    "directory": "path",
    "int": "int",
    "methods": "list",
    "names": "list",
    "page": "str",
    "protocols": "list",
    "skin": "path",
    "text": "str",
    "word": "str",
}

STORAGE = {
    "mig_signup_methods": ["extoidc", "migoidc", "extcert"],
    "mig_base_fqdn": "data.example.org",
    "mig_public_fqdn": "www.data.example.org",
    "mig_sid_fqdn": "sid.data.example.org",
    "mig_io_fqdn": "io.data.example.org",
    "mig_user": "mig",
    "mig_group": "mig",
    "mig_state": "/home/mig/state",
    "mig_certs": "/etc/httpd/MiG-certificates",
    "mig_public_http_port": 80,
    "mig_sid_port": 443,
    "mig_enable_ftps": True,
    "mig_enable_sftp": True,
    "mig_enable_sftp_subsys": True,
    "mig_enable_davs": True,
    "mig_enable_hsts": True,
    "mig_enable_openid": True,
    "mig_enable_vhost_certs": True,
    "mig_oidc_fqdn": "ext.data.example.org",
    "mig_oidc_port": 443,
    "mig_ext_cert_fqdn": "cert.data.example.org",
    "mig_ext_cert_port": 443,
    "mig_ext_oidc_fqdn": "data.example.org",
    "mig_ext_oidc_port": 443,
    "mig_login_methods": ["extoidc", "migoidc", "extcert"],
    "mig_landing_page": "/wsgi-bin/fileman.py",
}

CONF = """\
[GLOBAL]
server_fqdn = lab.example.org
state_path = /srv/mig/state
user_home = %(state_path)s/user_home/
migserver_http_url = http://www.lab.example.org
migserver_https_url = https://www.lab.example.org:4443
migserver_https_sid_url = https://sid.lab.example.org
migserver_https_mig_oid_url = https://ext.lab.example.org
user_sftp_port = 2022
user_davs_port = 4443
user_davs_show_port =
[SITE]
title = 100%% Grid
enable_sftp = yes
enable_freeze = True
digest_salt = 00112233445566778899AABBCCDDEEFF
logo_left =
"""


def left_out(found: Imported) -> dict[str, str]:
    return {name: why for name, _, why in found.left_out}


def given_options(text: str) -> dict[str, str]:
    found = re.findall(r"--(\w+)=('[^']*'|\"[^\"]*\"|\S*)", text)
    return {name: value.strip("'\"") for name, value in found}


def in_ansible(text: str) -> Any:
    return DataLoader().load(text)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_option_of_an_example_is_accounted_for(path: Path) -> None:
    found = import_site(path.read_text())
    told = {entry.name for entry in found.left_out + found.not_needed}
    for name, value in given_options(path.read_text()).items():
        present = options().present(name)
        off = present in options().not_yet and options().not_yet[present].is_off(value)
        assert not value or off or name in told or variable_name(present) in found.variables, name


def test_an_example_becomes_these_variables() -> None:
    found = import_site((PROJECT / "tests/data/generator/centos-storage.sh").read_text())
    assert found.variables == STORAGE
    assert left_out(found)["enable_seafile"] == "not there yet: Seafile"
    assert "OpenID Connect metadata" in left_out(found)["ext_oid_provider"]
    assert "enable_sandboxes" not in left_out(found), "it was off, so that nothing is lost"


def test_without_names_it_says_which_ones_are_missing() -> None:
    assert import_site("./generateconfs.py").missing == ["mig_base_fqdn", "mig_public_fqdn", "mig_sid_fqdn"]


def test_what_a_variable_needs_besides_is_told() -> None:
    missing = import_site((PROJECT / "tests/data/generator/centos-storage.sh").read_text()).missing
    assert missing == ["apache_ext_cert_authority", "mig_ext_oidc_provider_meta_url", "mig_ext_oidc_client_id"]


def test_the_required_variables_are_those_of_the_roles() -> None:
    required = {name for name, option in SPECS.items() if option.get("required")}
    assert set(import_site("./generateconfs.py").missing) == required


def test_other_defaults_are_told_unless_a_value_is_given() -> None:
    told = {entry.name: entry.value for entry in import_command(["--user=mig"]).other_defaults}
    assert told["sftp_subsys_port"] == "22"
    told_then = import_command(["--sftp_subsys_port=2022"]).other_defaults
    assert "sftp_subsys_port" not in {entry.name for entry in told_then}


def test_a_configuration_file_becomes_variables() -> None:
    found = import_site(CONF)
    assert found.variables == {
        "mig_base_fqdn": "lab.example.org",
        "mig_state": "/srv/mig/state",
        "mig_public_fqdn": "www.lab.example.org",
        "mig_public_http_port": 80,
        "mig_public_https_port": 4443,
        "mig_sid_fqdn": "sid.lab.example.org",
        "mig_sid_port": 443,
        "mig_sftp_port": 2022,
        "mig_davs_port": 4443,
        "mig_title": "100% Grid",
        "mig_enable_sftp": True,
        "mig_oidc_fqdn": "ext.lab.example.org",
        "mig_oidc_port": 443,
    }
    assert left_out(found)["enable_freeze"] == "not there yet: frozen archives"
    assert found.unknown_keys == ["[GLOBAL] user_home", "[SITE] digest_salt"]


def test_an_option_counts_as_a_shell_would_give_it() -> None:
    environment = "MIG_TITLE='From outside' MIG_SHORT_TITLE=X"
    found = import_site(f"{environment} ./generateconfs.py --short_ti A --short_title='B C' \\\n --sid_port 8443")
    assert found.variables == {"mig_title": "From outside", "mig_short_title": "B C", "mig_sid_port": 8443}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--sftp_prot=22", ["--sftp_prot is no option", "did you mean sftp_port?"]),
        ("--enable_sf=1", ["--enable_sf could be", "--enable_sftp, --enable_sftp_subsys; write it out"]),
        ("--title='A", ["cannot be read", "check its quotes"]),
        ("mig_title: A", ["there is no option", "generateconfs.py", "MiGserver.conf"]),
        ("[GLOBAL]\nno key\n", ["this is no MiGserver.conf"]),
        ("[GLOBAL]\nstate_path = %(nowhere)s\n", ["this is no MiGserver.conf", "nowhere"]),
    ],
)
def test_what_is_neither_is_refused_with_what_to_do(text: str, words: list[str]) -> None:
    with pytest.raises(ImportSiteError) as caught:
        import_site(text)
    for word in words:
        assert word in str(caught.value)


def test_a_value_that_cannot_be_read_is_left_out() -> None:
    found = import_command(["--sftp_port=ssh", "--mig_state=state"])
    assert found.variables == {}
    assert left_out(found)["sftp_port"] == "this is not a number; give the variable by hand"
    assert "not an absolute path" in left_out(found)["mig_state"]


def test_no_secret_is_shown() -> None:
    secrets = import_command(["--imnotify_password=hunter2", "--digest_salt=c0ffee"])
    text = secrets.as_yaml() + import_site(CONF).as_yaml()
    assert "imnotify_password" in text
    assert not re.search("hunter2|c0ffee|001122", text)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text != "AUTO"))
def test_every_text_arrives_in_the_inventory_as_it_was(title: str) -> None:
    loaded = in_ansible(import_command([f"--title={title}"]).as_yaml())
    assert loaded["mig_title"] == title


def test_what_looks_like_a_template_is_none() -> None:
    loaded = in_ansible(import_command(["--title={{ 6 * 7 }}"]).as_yaml())
    templar = Templar(DataLoader(), variables=loaded)
    assert templar.template(trust_as_template("{{ mig_title }}")) == "{{ 6 * 7 }}"


def test_the_filter_gives_the_same(ansible_plugins: None) -> None:
    filter_loader.add_directory(str(PROJECT / "filter_plugins"))
    templar = Templar(DataLoader(), variables={"line": "--title=Grid --enable_jobs=yes --distro=centos"})
    found = templar.template(trust_as_template("{{ line | import_site }}"))
    assert found["variables"] == {"mig_title": "Grid"}
    assert found["left_out"] == ["enable_jobs = 'yes': not there yet: jobs"]
    assert len(found["not_needed"]) == 1


def test_the_command_prints_what_an_inventory_takes(tmp_path: Path) -> None:
    path = tmp_path / "MiGserver.conf"
    path.write_text(CONF)
    command = [sys.executable, "-m", "migrid.site.cli", "import-site"]
    answer = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
    assert in_ansible(answer.stdout) == import_site(CONF).variables
    assert "# Not carried over:" in answer.stdout
    wrong = subprocess.run([*command, "--", "--titel=A"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "did you mean title?" in wrong.stderr


def test_each_option_has_one_fate_and_its_variable_is_there() -> None:
    table = options()
    assert len(table.names) == len(set(table.names))
    for name, kind in table.variable.items():
        assert SPECS[variable_name(name)]["type"] == KINDS[kind], name
    assert set(table.successor.values()) <= set(table.variable) | set(table.not_yet)
    conf = {option for keys in table.conf.values() for option in keys.values()}
    urls = {option for pair in table.conf_url.values() for option in pair}
    assert (conf | urls) - set(table.names) == set()


def test_the_pages_to_begin_with_are_those_of_the_role() -> None:
    assert import_command(["--landing_page=/wsgi-bin/fileman.py"]).variables
    found = import_command(["--landing_page=/wsgi-bin/home.py"])
    assert left_out(found)["landing_page"].endswith(" or ".join(SPECS["mig_landing_page"]["choices"]))


def test_a_variable_of_a_part_that_is_not_there_is_off_by_default() -> None:
    for name, option in SPECS.items():
        known = option_of(name)
        if known in options().not_yet:
            assert options().not_yet[known].is_off(option["default"]), name
