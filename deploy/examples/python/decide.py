"""Ask Croupier over gRPC which arm to deal to a user, and report what came of it.

    python decide.py home-banner --user ada --context '{"returning": true}'
    python decide.py home-banner --user ada --metric purchase --value 1

Prints one line of JSON: the decision, and with --metric the id of the reward that was reported for it.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import grpc
from google.protobuf.json_format import MessageToDict

# Here the classes are made when the script starts. A service would rather make them once, when it is built:
#   python -m grpc_tools.protoc -I schemas/proto --python_out=. --grpc_python_out=. croupier/v1/decider.proto
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "schemas" / "proto"))
messages, services = grpc.protos_and_services("croupier/v1/decider.proto")

# A decider answers from memory, in about a millisecond; here the connection is made too. Where there is no answer in
# time, a service deals the arm that it would deal without Croupier.
DECIDE_SECONDS_MAX = 1.0
# A reward is acknowledged once it is on the log.
REWARD_SECONDS_MAX = 6.0


def context_value(value):
    """The protobuf value of one feature, of the kind that the experiment declares for it."""
    if isinstance(value, bool):  # before numbers: to Python, True is one
        return messages.ContextValue(bool_value=value)
    if isinstance(value, (int, float)):
        return messages.ContextValue(number_value=value)
    return messages.ContextValue(string_value=value)


def decide(decider, metadata, experiment, user, context, slots):
    request = messages.DecideRequest(
        experiment_id=experiment,
        unit_id=user,
        context={name: context_value(value) for name, value in context.items()},
        slots=slots,
    )
    return decider.Decide(request, metadata=metadata, timeout=DECIDE_SECONDS_MAX)


def report(decider, metadata, decision, user, metric, value):
    request = messages.RewardRequest(
        # Named by what it is, so that a repeated report is the same reward: it is learned once.
        reward_id=f"{decision.decision_id}:{metric}",
        unit_id=user,
        metric=metric,
        value=value,
        decision_id=decision.decision_id,
    )
    return decider.Reward(request, metadata=metadata, timeout=REWARD_SECONDS_MAX)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment")
    parser.add_argument("--user", required=True)
    parser.add_argument("--context", type=json.loads, default={}, help="features by name, as JSON")
    parser.add_argument("--slots", type=int, default=1, help="how many different arms; up to the experiment's slots")
    parser.add_argument("--metric", help="what the experiment learns from; with --value")
    parser.add_argument("--value", type=float)
    parser.add_argument("--address", default=os.environ.get("CROUPIER_DECIDER_ADDRESS", "127.0.0.1:50051"))
    arguments = parser.parse_args()
    if (arguments.metric is None) != (arguments.value is None):
        parser.error("--metric and --value go together")

    token = os.environ.get("CROUPIER_DECIDER_TOKEN")
    metadata = [("authorization", f"Bearer {token}")] if token else []
    try:
        with grpc.insecure_channel(arguments.address) as channel:
            decider = services.DeciderStub(channel)
            decision = decide(decider, metadata, arguments.experiment, arguments.user, arguments.context, arguments.slots)
            answer = {"decision": MessageToDict(decision, always_print_fields_with_no_presence=True)}
            if arguments.metric is not None:
                reward = report(decider, metadata, decision, arguments.user, arguments.metric, arguments.value)
                answer["rewardId"] = reward.reward_id
    except grpc.RpcError as error:
        sys.exit(f"decide: {error.code().name}: {error.details()}")
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
