// Stellar's names (abi/bricks_stellar.h), and its design text's example.
#include "plugin_fixture.hh"

using namespace plugin_fixture;

TEST(plugins_with_stellars_names) {
  World world;
  CHECK(world.load({spec_of(built_plugin("stellar_example"), {}, {{"name", "stellar"}}),
                    spec_of(built_plugin("scripted"), {{"letter", "s"}}, {{"name", "s"}})}));
  world.start();
  const char* const expected[] = {"sO s2 sX", "", "sO s2 sX", "sO s2 sX", "sO s2 sX", "sO s2 sX"};
  for (uint32_t policy = 0; policy < 6; ++policy) {
    bricks_session& session = world.begin(policy);
    world.flows[policy].flow.address[1][3] = static_cast<uint8_t>(policy);
    world.send(policy, BRICKS_EVENT_OPENING);
    world.send(policy, BRICKS_EVENT_PACKET);
    CHECK_EQ(world.packets[policy].dropped, policy == 4);
    CHECK_EQ((session.owner_ & kFateKill) != 0, policy == 5);
    uint32_t groups[kSessionGroupsMax] = {};
    CHECK_EQ((session.owner_ & kFateGroups) != 0, policy == 2);
    CHECK_EQ(world.manager->groups(session, 1, groups), policy == 2 ? 1u : 0u);
    if (policy == 2) CHECK_EQ(groups[0], 4711u);
    world.send(policy, BRICKS_EVENT_CLOSING);
    CHECK_EQ(world.text_metadata(policy, "calls"), std::string(expected[policy]));
    world.end(policy);
  }
  CHECK_EQ(world.count("stellar", "errors"), int64_t{0});
  CHECK_EQ(world.count("stellar", "takeovers"), int64_t{1});
  CHECK_EQ(world.count("stellar", "detached"), int64_t{1});  // of the session it had marked
}
