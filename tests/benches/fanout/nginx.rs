//! nginx-rtmp, where Debian's `libnginx-mod-rtmp` is installed.

use crate::media;
use crate::process::Process;
use std::io::{Error, Result};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs, process, thread};

const NGINX: &str = "/usr/sbin/nginx";
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/// How long nginx may take to start.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A folder that is removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left lies among other temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Why it cannot be measured here, if so.
pub(crate) fn absence() -> Option<String> {
    let missing = [NGINX, MODULE].into_iter().find(|path| !Path::new(path).exists())?;
    Some(format!("no {missing} (apt-get install nginx-light libnginx-mod-rtmp)"))
}

/// One process, everything else as it comes.
pub(crate) fn prepare() -> Result<(Folder, Command, SocketAddr)> {
    // It cannot pick a port of its own.
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let path = env::temp_dir().join(format!("headwater-fanout-{}", process::id()));
    fs::create_dir_all(&path)?;
    let folder = Folder(path);
    let path = folder.0.display();
    let config = format!(
        "load_module {MODULE};\n\
         daemon off;\n\
         master_process off;\n\
         pid {path}/pid;\n\
         error_log {path}/error.log error;\n\
         events {{ worker_connections 16384; }}\n\
         rtmp {{\n\
             access_log off;\n\
             server {{\n\
                 listen {address};\n\
                 application live {{ live on; }}\n\
             }}\n\
         }}\n"
    );
    fs::write(folder.0.join("nginx.conf"), config)?;
    let mut command = Command::new(NGINX);
    command.args(["-p", &path.to_string(), "-c", "nginx.conf", "-e", "error.log"]);
    Ok((folder, command, address))
}

/// Returns once it listens.
pub(crate) fn wait(process: &mut Process, address: SocketAddr) -> Result<()> {
    let until = media::now() + TIMEOUT;
    while TcpStream::connect(address).is_err() {
        if process.has_ended() || media::now() >= until {
            return Err(Error::other("nginx did not start"));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
