#!/bin/sh
# Fetches each URL of the standard input through up to three proxies, until one gives the page.
: "${API:=http://127.0.0.1:8083}" "${KEY:=}"

proxies() {
    # The proxy resolves the name of the site, so that this host need not know or ask for it.
    curl -sf -H "X-Api-Key: $KEY" "$API/get-proxy?limit=3&max_age=300&format=url" |
        sed 's/^socks5:/socks5h:/; s/^socks4:/socks4a:/'
}

while read -r url; do
    fetched=no
    for proxy in $(proxies); do
        if curl -sf --max-time 20 --proxy "$proxy" "$url" </dev/null; then
            fetched=yes
            break
        fi
    done
    [ "$fetched" = yes ] || echo "no proxy gives $url" >&2
done
