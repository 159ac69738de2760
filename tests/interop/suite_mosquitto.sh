#!/bin/sh
# mosquitto's own clients for `brownout suite`, as they are by default:
#
#   brownout suite client --keep-alive 5s -- sh tests/interop/suite_mosquitto.sh
#
# (They take no keep-alive below 5 s.)

set -eu
common="-h $BROWNOUT_HOST -p $BROWNOUT_PORT -i $BROWNOUT_CLIENT_ID -k $BROWNOUT_KEEPALIVE -q $BROWNOUT_QOS -d"

case $BROWNOUT_WORKLOAD in
    # A subscriber to what nobody publishes. (Split on purpose: no value holds a blank.)
    idle) exec mosquitto_sub $common -c -t "$BROWNOUT_TOPIC/nothing" ;;
    sub) exec mosquitto_sub $common -c -t "$BROWNOUT_TOPIC" ;;
    pub)
        { while :; do echo x; sleep "$BROWNOUT_INTERVAL"; done; } |
            mosquitto_pub $common -c -l -t "$BROWNOUT_TOPIC"
        ;;
esac
