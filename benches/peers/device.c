/* The device of the protocol, as one would write it on libmosquitto:
 *
 *   device HOST PORT USER_ID QOS [nodelay]
 *
 * `nodelay` sets MOSQ_OPT_TCP_NODELAY, which is off by default. */
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const WORDS[] = {"Apple", "Cat", "Dog", "Rat", "Boy", "Girl", "Toy"};
static const char *user_id;
static char unique_id_topic[128], unique_id[128];
static int qos;

static void on_connect(struct mosquitto *client, void *state, int code) {
    (void)state;
    if (code) exit(1);
    mosquitto_subscribe(client, NULL, unique_id_topic, qos);
}

static void on_subscribe(struct mosquitto *client, void *state, int mid, int count, const int *granted) {
    (void)state, (void)mid, (void)count, (void)granted;
    if (!unique_id[0]) mosquitto_publish(client, NULL, "login", strlen(user_id), user_id, qos, false);
}

static void on_message(struct mosquitto *client, void *state, const struct mosquitto_message *message) {
    (void)state;
    int length = message->payloadlen;
    const char *text = message->payload;
    if (!strcmp(message->topic, unique_id_topic)) {
        snprintf(unique_id, sizeof unique_id, "%.*s", length, text);
        mosquitto_subscribe(client, NULL, unique_id, qos);
    } else if (length == 4 && !strncmp(text, "CMD", 3) && text[3] >= '1' && text[3] <= '7') {
        char topic[160];
        const char *word = WORDS[text[3] - '1'];
        snprintf(topic, sizeof topic, "%s/%.4s", unique_id, text);
        mosquitto_publish(client, NULL, topic, strlen(word), word, message->qos, false);
    } else if (length == 17 && !strncmp(text, "Well done my IoT!", 17)) {
        mosquitto_disconnect(client);
    }
}

int main(int argc, char **argv) {
    if (argc < 5) return 64;
    user_id = argv[3];
    qos = atoi(argv[4]);
    snprintf(unique_id_topic, sizeof unique_id_topic, "%s/UUID", user_id);
    mosquitto_lib_init();
    struct mosquitto *client = mosquitto_new(user_id, true, NULL);
    mosquitto_connect_callback_set(client, on_connect);
    mosquitto_subscribe_callback_set(client, on_subscribe);
    mosquitto_message_callback_set(client, on_message);
    if (argc > 5) mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
    if (mosquitto_connect(client, argv[1], atoi(argv[2]), 60)) return 69;
    return mosquitto_loop_forever(client, -1, 1) != MOSQ_ERR_SUCCESS;
}
