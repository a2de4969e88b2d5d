//! Each command, as people use it.

use std::{net::Ipv4Addr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::Container;

#[tokio::test]
async fn files_are_made_moved_and_removed() {
    let c = Container::new();
    for (script, expected) in [
        (
            "ls /",
            "bin\ndev\netc\nhome\nmnt\nopt\nproc\nroot\nrun\nsrv\ntmp\nusr\nvar\n",
        ),
        (
            "cat /etc/hostname; hostname; hostname -i",
            "web\nweb\n127.0.0.1\n",
        ),
        ("grep web /etc/hosts | cut -f 2", "web\n"),
        (
            "mkdir -p /data/a/b && ls -R /data",
            "/data:\na\n\n/data/a:\nb\n\n/data/a/b:\n",
        ),
        (
            "echo hi > /data/a/f; cp /data/a/f /data/g; cp -r /data/a /data/c; ls /data/c; cat /data/c/f",
            "b\nf\nhi\n",
        ),
        (
            "mv /data/g /data/a/h; ls /data/a; mv /data/a/h /data/a/i; cat /data/a/i",
            "b\nf\nh\nhi\n",
        ),
        (
            "cd /data; find . -name '[fi]' | sort; find . -type d -name b",
            "./a/f\n./a/i\n./c/f\n./a/b\n./c/b\n",
        ),
        (
            "find /data -type f -exec wc -c {} ';' | sort | head -n 1",
            "3 /data/a/f\n",
        ),
        (
            "rm -r /data/c; test -d /data/c || echo gone; rm -f /data/none; rmdir /data/a/b; ls /data/a",
            "gone\nf\ni\n",
        ),
        (
            "touch /tmp/t; [ -f /tmp/t ] && [ ! -s /tmp/t ] && echo empty; stat -c '%n %s %F' /tmp/t",
            "empty\n/tmp/t 0 regular file\n",
        ),
        ("ls -l /data/a/f | cut -c 1-10", "-rw-r--r--\n"),
        (
            "which ls; ls /bin/ls; [ -x /bin/ls ] && echo x",
            "/bin/ls\n/bin/ls\nx\n",
        ),
        (
            "dd if=/dev/zero of=/tmp/z bs=1k count=4 status=none; wc -c /tmp/z; du -s /tmp/z",
            "4096 /tmp/z\n4\t/tmp/z\n",
        ),
    ] {
        c.check(script, expected).await;
    }
}

#[tokio::test]
async fn texts_are_searched_and_changed() {
    let c = Container::new();
    for (script, expected) in [
        (
            "printf 'a1\\nb2\\na3\\n' > /tmp/t; grep a /tmp/t; grep -c a /tmp/t; grep -v a /tmp/t; grep -n 2 /tmp/t",
            "a1\na3\n2\nb2\n2:b2\n",
        ),
        (
            "grep -E '^(a|b)[0-9]+$' /tmp/t | tail -1; grep -o '[0-9]' /tmp/t | head -1; grep -q z /tmp/t || echo no",
            "a3\n1\nno\n",
        ),
        (
            "sed 's/a/x/;s/[0-9]/<&>/' /tmp/t; sed -n 2p /tmp/t; sed '/b/d' /tmp/t | sed 's#\\(.\\)\\(.\\)#\\2\\1#'",
            "x<1>\nb<2>\nx<3>\nb2\n1a\n3a\n",
        ),
        ("sed -i 's/a/A/g' /tmp/t; cat /tmp/t", "A1\nb2\nA3\n"),
        (
            "printf '3\\n10\\n2\\n2\\n' | sort -n | uniq -c | sort -rn | head -n 1",
            "      2 2\n",
        ),
        (
            "echo a:b:c | cut -d : -f 2-; echo hello | cut -c 1,5; echo x | tr -d x; echo aabb | tr -s ab",
            "b:c\nho\n\nab\n",
        ),
        (
            "echo one two | wc -w; seq 3 | tail -n +2; seq 5 | head -n 1; seq 2 -1 1",
            "2\n2\n3\n1\n2\n1\n",
        ),
        (
            "printf '%s-%03d|%5.1f|%-4s|%x\\n' a 7 1.25 b 255",
            "a-007|  1.2|b   |ff\n",
        ),
        (
            "echo -n a; echo -e 'b\\tc'; basename /a/b.txt .txt; dirname /a/b",
            "ab\tc\nb\n/a\n",
        ),
        (
            "echo hello | base64; echo aGVsbG8K | base64 -d; echo abc | sha256sum | cut -c 1-8",
            "aGVsbG8K\nhello\nedeaaff3\n",
        ),
        (
            "echo 1 2 3 | xargs -n 1 echo n; echo f | xargs -I @ echo a@b",
            "n 1\nn 2\nn 3\nafb\n",
        ),
        (
            "echo x | tee /tmp/tee; cat /tmp/tee; echo abc | rev; seq 2 | tac",
            "x\nx\ncba\n2\n1\n",
        ),
        (
            "date -d @0 +%Y-%m-%dT%H:%M:%S; id -u; whoami; uname",
            "1970-01-01T00:00:00\n0\nroot\nLinux\n",
        ),
        (
            "env -i A=1 sh -c 'echo $A'; printenv HOME; timeout 0.05 sleep 5; echo $?",
            "1\n/root\n143\n",
        ),
        (
            "[ a != b -a 2 -gt 1 ] && test -z '' && [ ! -e /none ] && echo yes",
            "yes\n",
        ),
        (
            "true; false || ps | head -n 2 | tail -n 1",
            "    1 root      0:00 main\n",
        ),
    ] {
        c.check(script, expected).await;
    }
}

#[tokio::test]
async fn archives_are_packed_and_unpacked() {
    let c = Container::new();
    let long = "d".repeat(120);
    let script = format!(
        "mkdir -p /src/{long} /out; echo a > /src/a; echo b > /src/{long}/b; cd /src
         tar cf /tmp/x.tar . && tar tf /tmp/x.tar | wc -l; tar xmf - -C /out < /tmp/x.tar; cat /out/a /out/{long}/b
         tar cf - a | tar xf - -O; printf 'no archive' | tar xf - ; echo $?"
    );
    let (_, output, errors) = c.sh(&script, "").await;
    assert_eq!(output, "4\na\nb\na\n1\n", "{errors}");
    assert_eq!(errors, "tar: short read\n");
}

/// Answers each connection with what it was asked for.
async fn server() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("listen");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let line = String::from_utf8_lossy(&request[..length])
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            let status = if line.contains("/none") {
                "404 Not Found"
            } else {
                "200 OK"
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{line}\n",
                line.len() + 1
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

#[tokio::test]
async fn the_network_is_asked() {
    let c = Container::new();
    let port = server().await;
    for (script, code, output, error) in [
        (
            format!("wget -qO- http://web:{port}/a"),
            0,
            "GET /a HTTP/1.1\n",
            String::new(),
        ),
        (
            format!("cd /tmp; wget -q http://127.0.0.1:{port}/b.txt; cat b.txt"),
            0,
            "GET /b.txt HTTP/1.1\n",
            String::new(),
        ),
        (
            format!("wget -qO- http://web:{port}/none"),
            1,
            "",
            "wget: server returned error: HTTP/1.1 404 Not Found\n".to_owned(),
        ),
        (
            format!("curl -s web:{port}/c -o /dev/null -w '%{{http_code}}\\n'"),
            0,
            "200\n",
            String::new(),
        ),
        (
            format!("curl -sS -X POST -d x=1 http://127.0.0.1:{port}/d"),
            0,
            "POST /d HTTP/1.1\n",
            String::new(),
        ),
        (
            format!("curl -sSf http://web:{port}/none"),
            22,
            "",
            "curl: (22) The requested URL returned error: 404\n".to_owned(),
        ),
        ("curl -s http://nowhere.invalid/".to_owned(), 6, "", String::new()),
        (
            "wget -qO- https://web/".to_owned(),
            1,
            "",
            "wget: not an http url: https is not supported here\n".to_owned(),
        ),
        (
            format!("nc -z -v web {port}"),
            0,
            "",
            format!("web (127.0.0.1:{port}) open\n"),
        ),
        (
            "nslookup web".to_owned(),
            0,
            "Name:\tweb\nAddress: 127.0.0.1\n",
            String::new(),
        ),
        (
            "nslookup nowhere.invalid".to_owned(),
            1,
            "** server can't find nowhere.invalid: NXDOMAIN\n",
            String::new(),
        ),
    ] {
        let (ended, printed, errors) = c.sh(&script, "").await;
        assert_eq!(
            (ended, printed.as_str(), errors),
            (code, output, error),
            "{script}"
        );
    }
    let (code, output, _) = c.sh("ping -c 1 web | tail -n 1", "").await;
    assert_eq!(
        (code, output.as_str()),
        (0, "1 packets transmitted, 1 packets received, 0% packet loss\n")
    );
}

#[tokio::test]
async fn the_base_is_written_once() {
    let c = Container::new();
    c.check(
        "rm /etc/os-release; echo x > /etc/hosts; ls /etc",
        "group\nhostname\nhosts\npasswd\nresolv.conf\nshells\n",
    )
    .await;
    let again = crate::runtime::programs::tests::invocation(c._scratch.path());
    let c = Container {
        invocation: Arc::new(again),
        _scratch: c._scratch,
    };
    c.check("cat /etc/hosts; ls /etc | wc -l", "x\n6\n").await;
}
