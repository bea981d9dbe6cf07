"""Put decisions and rewards straight onto Croupier's topics, without a decider in between.

    python produce.py decision home-banner --user ada --arm summer --propensity 0.25
    python produce.py reward --user ada --metric purchase --value 1 --decision DECISION_ID

The first is for a service that draws arms by itself and lets Croupier learn from them; the second for whoever learns,
often days later, what a user was worth. Prints one line of JSON: the id, and where in the log the record is.
"""

import argparse
import json
import os
import sys
import time
import uuid

from confluent_kafka import KafkaException, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

BROKERS = os.environ.get("KAFKA_BROKERS", "127.0.0.1:19092")
REGISTRY = os.environ.get("SCHEMA_REGISTRY_URL", "http://127.0.0.1:18081/apis/ccompat/v7")
PREFIX = os.environ.get("CROUPIER_TOPIC_PREFIX", "")


def open_producer():
    return Producer(
        {
            "bootstrap.servers": BROKERS,
            # A unit's decisions and rewards must lie in partitions of one number, or they are never joined. Croupier
            # and Kafka's Java clients place a key by murmur2; librdkafka, which is underneath here, by CRC32 unless told.
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "message.timeout.ms": 10_000,
        }
    )


def open_serializer():
    return AvroSerializer(
        SchemaRegistryClient({"url": REGISTRY}),
        conf={
            # The schemas were registered when the topics were created. Producers use them and never add their own.
            "auto.register.schemas": False,
            "use.latest.version": True,
            "subject.name.strategy": topic_subject_name_strategy,
        },
    )


def send(topic, unit_id, value):
    """Writes one record, keyed by its unit. Returns its partition and offset once every replica has it."""
    # Once for each process, in a service; a script has but one record to send.
    serialize = open_serializer()
    producer = open_producer()
    outcomes = []
    producer.produce(
        topic,
        key=unit_id.encode("utf-8"),
        value=serialize(value, SerializationContext(topic, MessageField.VALUE)),
        on_delivery=lambda error, record: outcomes.append((error, record)),
    )
    producer.flush()
    [(error, record)] = outcomes
    if error is not None:
        raise KafkaException(error)
    return {"topic": topic, "partition": record.partition(), "offset": record.offset()}


def send_decision(arguments):
    decision = {
        "decisionId": str(uuid.uuid4()),
        "experimentId": arguments.experiment,
        "experimentVersion": arguments.experiment_version,
        "unitId": arguments.user,
        # The probability that the arm was really drawn with: all that is learned without bias rests on it.
        "slots": [{"armId": arguments.arm, "propensity": arguments.propensity}],
        "reason": "bandit",
        "policy": arguments.policy,
        "decidedAtMs": now_ms(),
    }
    place = send(f"{PREFIX}decisions", arguments.user, decision)
    return {"decisionId": decision["decisionId"], **place}


def send_reward(arguments):
    reward = {
        # The same id again is the same reward, learned once; with a higher revision it replaces what was said before.
        "rewardId": arguments.id or str(uuid.uuid4()),
        "revision": arguments.revision,
        "unitId": arguments.user,
        "metric": arguments.metric,
        "value": arguments.value,
        "occurredAtMs": now_ms(),
        # Without it, the experiment's attribution says whose the reward is: the user's last decision before it, by default.
        "decisionId": arguments.decision,
        # Without it, the reward counts for every arm of its decision.
        "armId": arguments.arm,
    }
    place = send(f"{PREFIX}rewards", arguments.user, reward)
    return {"rewardId": reward["rewardId"], **place}


def now_ms():
    return time.time_ns() // 1_000_000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    decision = commands.add_parser("decision", help="an arm that was dealt")
    decision.add_argument("experiment")
    decision.add_argument("--experiment-version", type=int, default=1)
    decision.add_argument("--user", required=True)
    decision.add_argument("--arm", required=True)
    decision.add_argument("--propensity", type=float, required=True, help="above 0, at most 1")
    decision.add_argument("--policy", default="own", help="name of what drew the arm")
    decision.set_defaults(send=send_decision)
    reward = commands.add_parser("reward", help="what came of it")
    reward.add_argument("--user", required=True)
    reward.add_argument("--metric", required=True)
    reward.add_argument("--value", type=float, help="left out, the reward is retracted")
    reward.add_argument("--decision", help="id of the decision that it belongs to")
    reward.add_argument("--arm", help="the only arm that it counts for")
    reward.add_argument("--id", help="id of the reward")
    reward.add_argument("--revision", type=int, default=0)
    reward.set_defaults(send=send_reward)
    arguments = parser.parse_args()
    try:
        print(json.dumps(arguments.send(arguments)))
    except Exception as error:
        where = f"Kafka at {BROKERS}, schema registry at {REGISTRY}"
        sys.exit(f"produce: {type(error).__name__}: {error} ({where})")


if __name__ == "__main__":
    main()
