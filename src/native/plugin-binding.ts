/** Lists of plugins, as native code shows them. */
import type { Options } from './binding.ts';
import type { FigureInfo, OptionInfo } from './tables.ts';

/** An entry of a list of plugins: `keys` are those of `pluginKeys`, `options` the plugin's own. */
export interface PluginEntry {
  readonly keys: Options;
  readonly options: Options;
}
export interface PluginRow extends PluginEntry {
  readonly name: string;
  readonly kind: 'c' | 'lua' | 'typescript';
  readonly summary: string;
  /** How often the list has been loaded with it. */
  readonly generation: number;
  /** Too many errors: it is not called any more. */
  readonly disabled: boolean;
  /** Those of `pluginCounts`, and the plugin's own figures; over all generations of its name. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What a plugin's file says of itself. */
export interface PluginDescription {
  /** As it calls itself; lists may call it otherwise. */
  readonly name: string;
  readonly kind: PluginRow['kind'];
  readonly summary: string;
  readonly events: readonly string[];
  /** Whose records it gets. */
  readonly protocols: readonly string[];
  readonly options: readonly {
    readonly name: string;
    readonly type: 'text' | 'number' | 'boolean';
    readonly summary: string;
    /** Absent: it must be given. */
    readonly preset?: string;
  }[];
  readonly figures: readonly string[];
}

export interface PluginBinding {
  /** What an entry of a list of plugins can say beside the plugin's own options. */
  pluginKeys(): OptionInfo[];
  /** What is counted for each plugin. */
  pluginCounts(): FigureInfo[];
  /** A new list of plugins; its number is what a Session's option `plugins` is set to. */
  openPlugins(): number;
  /** Lives on while a Session uses it. */
  closePlugins(list: number): void;
  /** Loads all of them, or none: new sessions get these, those that live keep theirs. */
  setPlugins(list: number, plugins: readonly PluginEntry[]): void;
  /** The same plugins, from their files as they are now. */
  reloadPlugins(list: number): void;
  listPlugins(list: number): PluginRow[];
  /** Loads that file and compares versions, but starts nothing. */
  lookAtPlugin(path: string): PluginDescription;
  /** What has gone wrong since the last change without being an error. */
  pluginWarnings(list: number): string[];
}
