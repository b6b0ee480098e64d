/** What a plugin may use at any time. */
import type { AttachedPlugin, ScriptBinding } from '../native/scripts.ts';
import { codes, type Host, type OptionValue, type PluginDefinition } from './api.ts';

export function hostOf(
  binding: ScriptBinding,
  plugin: AttachedPlugin,
  { name, figures = [] }: PluginDefinition,
): Host {
  const options: Record<string, OptionValue> = {};
  for (const [key, type, text] of binding.pluginOptions(plugin)) {
    options[key] = type === 's' ? text : type === 'n' ? Number(text) : text === 'true';
  }
  return {
    name,
    options,
    emit: (line) => binding.pluginEmit(plugin, line),
    count: (figure, more = 1) => {
      const number = figures.indexOf(figure);
      return number < 0 ? codes.notFound : binding.pluginFigure(plugin, number, more);
    },
    createGroup: (group, rate, burst) => binding.pluginCreateGroup(plugin, group, rate, burst),
    deleteGroup: (group) => binding.pluginDeleteGroup(plugin, group),
  };
}
