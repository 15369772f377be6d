#!/bin/sh
# Fetches each URL of the standard input through up to three proxies, until one gives the page.
# Says why a page did not come, and ends with 1 then.
: "${API:=http://127.0.0.1:8083}" "${KEY:=}"

# Three proxies, one a line. Where there is none just now, or we asked too often, the service says
# when to come again.
proxies() {
    for try in 1 2 3 4 5; do
        answer=$(curl -sS -i -H "X-Api-Key: $KEY" "$API/get-proxy?limit=3&max_age=300&format=url" | tr -d '\r')
        status=$(printf '%s\n' "$answer" | sed -n '1s/^[^ ]* \([0-9]*\).*/\1/p')
        wait=$(printf '%s\n' "$answer" | sed -n 's/^[Rr]etry-[Aa]fter: *\([0-9][0-9]*\)$/\1/p')
        body=$(printf '%s\n' "$answer" | sed '1,/^$/d')
        case $status in
            200)
                # The proxy resolves the name of the site, so that this host need not know or ask for it.
                printf '%s\n' "$body" | sed 's/^socks5:/socks5h:/; s/^socks4:/socks4a:/'
                return 0
                ;;
            429 | 503) [ "${wait:=1}" -gt 60 ] && break ;;
            *) break ;;
        esac
        [ "$try" = 5 ] || sleep "$wait"
    done
    echo "no proxies from $API: ${status:-no answer} $body" >&2
    return 1
}

ended=0
while read -r url || [ -n "$url" ]; do
    list=$(proxies) || exit 1
    fetched=no
    for proxy in $list; do
        # Otherwise curl says why: a status is the site's word, or that of the proxy in its place.
        curl -sSf --max-time 20 --proxy "$proxy" "$url" </dev/null && fetched=yes && break
    done
    [ "$fetched" = yes ] || { echo "no page from $url" >&2 && ended=1; }
done
exit "$ended"
