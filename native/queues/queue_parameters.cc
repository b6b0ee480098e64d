#include "queues/queue_parameters.hh"

#include <algorithm>
#include <cmath>

namespace bricks {
namespace {

constexpr double kNoMost = 9007199254740991.0;
constexpr double kRateMax = static_cast<double>(kQueueRateMax);

constexpr OptionDescriptor kOptions[] = {
    {"kind", OptionType::text, "shaper", 0, 0, "policer|shaper|aqm",
     "what is beyond the rate is dropped; or waits; or there is no rate, and packets wait while "
     "what is behind has no room"},
    {"cir", OptionType::number, "0", 0, kRateMax, nullptr,
     "committed rate: bytes of IP packets a second"},
    {"cbs", OptionType::number, "0", 0, kQueueBurstMax, nullptr,
     "committed burst in bytes; 0: what comes in 10 ms, 3,000 at least"},
    {"meter", OptionType::text, "single", 0, 0, "single|srtcm|trtcm|rfc4115",
     "policer: one bucket, or three colours by RFC 2697, 2698 or 4115"},
    {"pir", OptionType::number, "0", 0, kRateMax, nullptr,
     "trtcm: peak rate; rfc4115: excess rate"},
    {"ebs", OptionType::number, "0", 0, kQueueBurstMax, nullptr,
     "excess burst in bytes (trtcm: peak burst); 0: as cbs"},
    {"yellow", OptionType::text, "pass", 0, 0, "pass|drop", "what becomes of yellow packets"},
    {"yellow_dscp", OptionType::integer, "-1", -1, 63, nullptr,
     "DSCP that yellow packets get; -1: their own"},
    {"aware", OptionType::boolean, "false", 0, 0, nullptr,
     "believe the colours of packets' DSCP: AFx2 is yellow, AFx3 red"},
    {"mode", OptionType::text, "exact", 0, 0, "exact|leased",
     "engines share one bucket; leased: and take 10 ms' worth at a time from it"},
    {"oversize", OptionType::text, "drop", 0, 0, "drop|borrow",
     "packets longer than cbs; borrow: they go when the bucket is full, and owe the rest"},
    {"overhead", OptionType::integer, "0", -64, 1024, nullptr,
     "bytes a packet has on the wire beside its IP packet: 38 on Ethernet"},
    {"aqm", OptionType::text, "none", 0, 0, "none|red|codel|pie|fq_codel",
     "what keeps the queue short before it is full"},
    {"ecn", OptionType::boolean, "false", 0, 0, nullptr,
     "mark packets that can be marked instead of dropping them"},
    {"packets", OptionType::integer, "1000", 1, kQueuePacketsMax, nullptr,
     "most that wait, in all engines together"},
    {"bytes", OptionType::number, "33554432", 1500, kNoMost, nullptr, "and their bytes"},
    {"share", OptionType::integer, "100", 1, 100, nullptr,
     "percent of `packets` that one session may have waiting"},
    {"at_end", OptionType::text, "drain", 0, 0, "drain|drop",
     "what waits when the group is deleted, or its engine stops: goes on, or is dropped"},
    {"target", OptionType::number, "0", 0, 10000, nullptr,
     "codel, fq_codel: milliseconds a packet may wait, 0: 5; pie: that it aims at, 0: 15"},
    {"interval", OptionType::number, "0", 0, 10000, nullptr,
     "milliseconds; codel, fq_codel: 0 is 100; pie: between updates, 0 is 15"},
    {"pie_burst", OptionType::number, "150", 0, 10000, nullptr,
     "pie: milliseconds of burst that get through"},
    {"red_min", OptionType::number, "5", 0, kQueuePacketsMax, nullptr,
     "red: average length in packets from which on it drops"},
    {"red_max", OptionType::number, "15", 0, kQueuePacketsMax, nullptr,
     "red: where it drops with red_probability"},
    {"red_probability", OptionType::number, "0.1", 0, 1, nullptr, "red: of a packet's drop there"},
    {"red_weight", OptionType::number, "0.002", 0, 1, nullptr,
     "red: of the newest length in the average"},
    {"red_gentle", OptionType::boolean, "true", 0, 0, nullptr,
     "red: to twice red_max the probability rises to 1; else it is 1 at once"},
    {"flows", OptionType::integer, "1024", 1, kQueueFlowsMax, nullptr,
     "fq_codel: that are told apart"},
    {"quantum", OptionType::integer, "1514", 64, 65535, nullptr,
     "fq_codel: bytes a flow has a turn"},
    {"seed", OptionType::integer, "0", 0, kNoMost, nullptr, "of what is left to chance"},
};

template <typename Enum>
Enum choice(const Options& options, const char* name) {
  const std::string& value = option_text(options, name);
  for (const OptionDescriptor& option : kOptions) {
    if (std::string(option.name) != name) continue;
    std::string choices = option.choices;
    for (uint32_t i = 0;; ++i) {
      const size_t bar = choices.find('|');
      if (choices.substr(0, bar) == value || bar == std::string::npos) return static_cast<Enum>(i);
      choices.erase(0, bar + 1);
    }
  }
  return {};
}

std::string nth_choice(const char* name, uint32_t index) {
  for (const OptionDescriptor& option : kOptions) {
    if (std::string(option.name) != name) continue;
    std::string choices = option.choices;
    for (; index > 0; --index) choices.erase(0, choices.find('|') + 1);
    return choices.substr(0, choices.find('|'));
  }
  return {};
}

uint64_t whole(const Options& options, const char* name) {
  return static_cast<uint64_t>(option_number(options, name));
}

Nanos milliseconds(const Options& options, const char* name, double otherwise) {
  const double value = option_number(options, name);
  return static_cast<Nanos>((value == 0 ? otherwise : value) * 1e6);
}

uint64_t default_burst(uint64_t cir) {
  return std::clamp<uint64_t>(cir / 100, 2 * kQueueBurstMin, kQueueBurstMax);
}

void complete(QueueParameters& p) {
  if (p.cbs == 0) p.cbs = default_burst(p.cir);
  if (p.ebs == 0) p.ebs = p.cbs;
  // While it is idle RED's average falls as if packets of the usual size left at the rate.
  p.red.packet_time = p.cir ? std::max<uint64_t>(1500 * 1000000000ull / p.cir, 1) : 1000000;
}

}  // namespace

std::span<const OptionDescriptor> queue_options() noexcept { return kOptions; }

Status read_queue_options(const std::string& where, const Options& options, QueueParameters* to) {
  QueueParameters p;
  p.kind = choice<QueueKind>(options, "kind");
  p.meter = choice<QueueMeter>(options, "meter");
  p.discipline = choice<QueueDiscipline>(options, "aqm");
  p.leased = option_text(options, "mode") == "leased";
  p.ecn = option_flag(options, "ecn");
  p.borrow = option_text(options, "oversize") == "borrow";
  p.drop_at_end = option_text(options, "at_end") == "drop";
  p.aware = option_flag(options, "aware");
  p.drop_yellow = option_text(options, "yellow") == "drop";
  p.yellow_dscp = static_cast<int8_t>(option_integer(options, "yellow_dscp"));
  p.overhead = static_cast<int32_t>(option_integer(options, "overhead"));
  p.packets = static_cast<uint32_t>(option_integer(options, "packets"));
  p.share = static_cast<uint32_t>(option_integer(options, "share"));
  p.bytes = whole(options, "bytes");
  p.cir = whole(options, "cir");
  p.cbs = whole(options, "cbs");
  p.pir = whole(options, "pir");
  p.ebs = whole(options, "ebs");
  p.red.minimum = option_number(options, "red_min");
  p.red.maximum = option_number(options, "red_max");
  p.red.probability = option_number(options, "red_probability");
  p.red.weight = option_number(options, "red_weight");
  p.red.gentle = option_flag(options, "red_gentle");
  p.codel.target = milliseconds(options, "target", 5);
  p.codel.interval = milliseconds(options, "interval", 100);
  p.pie.reference = milliseconds(options, "target", 15);
  p.pie.update = milliseconds(options, "interval", 15);
  p.pie.burst = static_cast<Nanos>(option_number(options, "pie_burst") * 1e6);
  p.flows = static_cast<uint32_t>(option_integer(options, "flows"));
  p.quantum = static_cast<uint32_t>(option_integer(options, "quantum"));
  p.seed = static_cast<uint64_t>(option_integer(options, "seed"));
  complete(p);
  Status status = check_queue_parameters(where, p);
  if (status.ok()) *to = p;
  return status;
}

Status check_queue_parameters(const std::string& where, const QueueParameters& p) {
  const auto wrong = [&where](const std::string& what) {
    return Status{Code::invalid_argument, where + ": " + what};
  };
  if (p.kind == QueueKind::aqm) {
    if (p.cir) return wrong("a queue of kind aqm has no rate; leave cir out, or take a shaper");
    if (p.discipline == QueueDiscipline::tail_drop) {
      return wrong("a queue of kind aqm needs an algorithm; set aqm to codel, for one");
    }
  } else {
    if (p.cir == 0 || p.cir > kQueueRateMax) {
      return wrong("cir is " + std::to_string(p.cir) + " and must be 1 to " +
                   std::to_string(kQueueRateMax) + " bytes a second");
    }
    if (p.cbs < kQueueBurstMin || p.cbs > kQueueBurstMax) {
      return wrong("cbs is " + std::to_string(p.cbs) + " and must be " +
                   std::to_string(kQueueBurstMin) + " to " + std::to_string(kQueueBurstMax) +
                   " bytes: the longest packet has to fit in");
    }
  }
  if (p.meter == QueueMeter::single) {
    if (p.aware) return wrong("aware is for three colours; set meter to srtcm, trtcm or rfc4115");
  } else {
    if (p.kind != QueueKind::policer) return wrong("three colours are for policers; set kind");
    if (p.leased) return wrong("mode leased is for meter single; take exact");
    if (p.borrow) return wrong("oversize borrow is for meter single; take drop");
    if (p.ebs < kQueueBurstMin || p.ebs > kQueueBurstMax) {
      return wrong("ebs is " + std::to_string(p.ebs) + " and must be " +
                   std::to_string(kQueueBurstMin) + " to " + std::to_string(kQueueBurstMax));
    }
    if (p.meter == QueueMeter::trtcm && p.pir < p.cir) {
      return wrong("pir is " + std::to_string(p.pir) + ", less than cir; RFC 2698 wants as much");
    }
    if (p.meter == QueueMeter::rfc4115 && p.pir == 0) return wrong("pir, the excess rate, is 0");
  }
  if (p.kind == QueueKind::policer && p.discipline != QueueDiscipline::tail_drop) {
    return wrong("nothing waits in a policer; leave aqm out, or take a shaper");
  }
  if (p.discipline == QueueDiscipline::red &&
      !(p.red.maximum > p.red.minimum && p.red.probability > 0 && p.red.weight > 0)) {
    return wrong("red_max must be above red_min, red_probability and red_weight above 0");
  }
  return {};
}

Options queue_options_of(const QueueParameters& p) {
  const bool pie = p.discipline == QueueDiscipline::pie;
  const auto number = [](auto value) { return static_cast<double>(value); };
  Options options;
  options["kind"] = nth_choice("kind", static_cast<uint32_t>(p.kind));
  options["cir"] = number(p.cir);
  options["cbs"] = number(p.cbs);
  options["meter"] = nth_choice("meter", static_cast<uint32_t>(p.meter));
  options["pir"] = number(p.pir);
  options["ebs"] = number(p.ebs);
  options["yellow"] = std::string(p.drop_yellow ? "drop" : "pass");
  options["yellow_dscp"] = int64_t{p.yellow_dscp};
  options["aware"] = p.aware;
  options["mode"] = std::string(p.leased ? "leased" : "exact");
  options["oversize"] = std::string(p.borrow ? "borrow" : "drop");
  options["overhead"] = int64_t{p.overhead};
  options["aqm"] = nth_choice("aqm", static_cast<uint32_t>(p.discipline));
  options["ecn"] = p.ecn;
  options["packets"] = int64_t{p.packets};
  options["bytes"] = number(p.bytes);
  options["share"] = int64_t{p.share};
  options["at_end"] = std::string(p.drop_at_end ? "drop" : "drain");
  options["target"] = number(pie ? p.pie.reference : p.codel.target) / 1e6;
  options["interval"] = number(pie ? p.pie.update : p.codel.interval) / 1e6;
  options["pie_burst"] = number(p.pie.burst) / 1e6;
  options["red_min"] = p.red.minimum;
  options["red_max"] = p.red.maximum;
  options["red_probability"] = p.red.probability;
  options["red_weight"] = p.red.weight;
  options["red_gentle"] = p.red.gentle;
  options["flows"] = int64_t{p.flows};
  options["quantum"] = int64_t{p.quantum};
  options["seed"] = static_cast<int64_t>(p.seed);
  return options;
}

QueueParameters default_queue(uint64_t cir, uint64_t cbs) noexcept {
  QueueParameters p;
  p.packets = 1000;
  p.bytes = 33554432;
  p.flows = 1024;
  p.quantum = 1514;
  p.cir = cir;
  p.cbs = cbs;
  // 0 is refused and not what comes by itself: RFC 2697 leaves no choice to the caller.
  if (cbs == 0) return p;
  complete(p);
  return p;
}

}  // namespace bricks
