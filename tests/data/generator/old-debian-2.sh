./generateconfs.py --source=. --destination=generated-confs \
    --user=mig --group=mig \
    --apache_etc=/etc/apache2 \
    --apache_run=/var/run/apache2 \
    --apache_lock=/var/lock/apache2 \
    --apache_log=/var/log/apache2 \
    --mig_code=/home/mig/mig \
    --mig_state=/home/mig/state \
    --mig_certs=/etc/apache2/MiG-certificates \
    --hg_path=/usr/bin/hg \
    --hgweb_scripts=/usr/share/doc/mercurial-common/examples \
    --trac_admin_path=/usr/bin/trac-admin \
    --trac_ini_path=/home/mig/mig/server/trac.ini \
    --public_port=80 --cert_port=443 --sid_port=443 \
    --enable_openid=False --enable_wsgi=True --enable_sftp=True \
    --enable_sandboxes=True --enable_vmachines=True \
    --user_clause=User --group_clause=Group \
    --listen_clause='#Listen' \
    or the same with OpenID, HSTS, WSGI and vhost-specific certificates:
